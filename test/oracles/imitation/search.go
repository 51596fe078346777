// What Elasticsearch and OpenSearch answer to the request of who it is that asks.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
)

// The one of every user who has any.
const password = "a word of tests"

// Who it is: by the certificate where there is one, else by name and password; empty where by neither.
func searchUser(client net.Conn, request *http.Request) string {
	if shown := client.(*tls.Conn).ConnectionState().PeerCertificates; len(shown) > 0 {
		return shown[0].Subject.CommonName
	}
	if name, word, given := request.BasicAuth(); given && word == password {
		return name
	}
	return ""
}

// Headers and body of an answer to a user.
type searchAnswer func(user string) (map[string]string, any)

// GET /_security/_authenticate, and what drivers of version 7 look for at / first; none takes another product than the header says.
func elasticsearchUser(user string) (map[string]string, any) {
	realm := map[string]string{"name": "pki1", "type": "pki"}
	return map[string]string{"X-elastic-product": "Elasticsearch"}, map[string]any{
		"username": user, "roles": []string{}, "full_name": nil, "email": nil, "metadata": map[string]any{}, "enabled": true,
		"authentication_realm": realm, "lookup_realm": realm, "authentication_type": "realm",
		"version": map[string]string{"number": "7.17.28", "build_flavor": "default"}, "tagline": "You Know, for Search",
	}
}

// GET /_plugins/_security/authinfo
func opensearchUser(user string) (map[string]string, any) {
	return nil, map[string]any{"user_name": user}
}

// Answers every request with who it is that asks.
func searchRequests(answer searchAnswer) func(net.Conn) error {
	return func(client net.Conn) error {
		in := bufio.NewReader(client)
		for {
			request, err := http.ReadRequest(in)
			if err != nil {
				return err
			}
			if _, err := io.Copy(io.Discard, request.Body); err != nil {
				return err
			}
			user := searchUser(client, request)
			headers, words := answer(user)
			body, err := json.Marshal(words)
			if err != nil {
				return err
			}
			response := http.Response{StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"application/json"}}}
			for name, value := range headers {
				response.Header.Set(name, value)
			}
			if user == "" {
				response.StatusCode = 401
				response.Header.Set("WWW-Authenticate", `Basic realm="security"`)
				body = []byte(`{"error":{"type":"security_exception","reason":"missing authentication credentials"},"status":401}`)
			}
			response.ContentLength = int64(len(body))
			response.Body = io.NopCloser(bytes.NewReader(body))
			if err := response.Write(client); err != nil {
				return err
			}
		}
	}
}
