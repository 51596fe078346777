// Speaks the first words of databases that cannot be installed for a test, with the TLS of Go's standard library, which is that of
// TiDB and CockroachDB.
//
//	imitation PROTOCOL CLIENTS CERTIFICATE KEY CA [PORT]
//
// PROTOCOL is tidb, cockroachdb, mongodb, elasticsearch, opensearch or clickhouse; CLIENTS is required or optional, and says whether a
// client has to show a certificate; one that is shown is verified. It prints its port on 127.0.0.1, any where none is given, and reads its
// files again at SIGHUP, keeping what it has where they are no pair.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// What a protocol does before TLS and after it; how it answers one who has come through is the last.
type protocol struct {
	before func(net.Conn) error
	after  func(net.Conn) error
}

var protocols = map[string]protocol{
	"tidb":          {tidbGreeting, tidbLogin},
	"cockroachdb":   {postgresRequest, postgresLogin},
	"mongodb":       {nil, mongodbMessages},
	"elasticsearch": {nil, searchRequests(elasticsearchUser)},
	"opensearch":    {nil, searchRequests(opensearchUser)},
	"clickhouse":    {nil, clickhouseHello},
}

func mysqlPacket(sequence byte, body []byte) []byte {
	return append([]byte{byte(len(body)), byte(len(body) >> 8), byte(len(body) >> 16), sequence}, body...)
}

func readMysqlPacket(from io.Reader) ([]byte, error) {
	var header [4]byte
	if _, err := io.ReadFull(from, header[:]); err != nil {
		return nil, err
	}
	body := make([]byte, int(header[0])|int(header[1])<<8|int(header[2])<<16)
	_, err := io.ReadFull(from, body)
	return body, err
}

// Protocol::HandshakeV10, and the request for TLS that answers it.
func tidbGreeting(client net.Conn) error {
	const capabilities = 0x0008_0000 | 0x8000 | 0x0800 | 0x0200 | 0x0008 // plugins, secure connection, TLS, 4.1, databases
	greeting := append([]byte{10}, "8.0.11-TiDB-v8.5.0\x00"...)
	greeting = append(greeting, 1, 0, 0, 0)
	greeting = append(greeting, "abcdefgh\x00"...)
	greeting = append(greeting, byte(capabilities&0xff), byte(capabilities>>8&0xff), 46, 2, 0, byte(capabilities>>16), 0, 21)
	greeting = append(greeting, make([]byte, 10)...)
	greeting = append(greeting, "ijklmnopqrst\x00mysql_native_password\x00"...)
	if _, err := client.Write(mysqlPacket(0, greeting)); err != nil {
		return err
	}
	request, err := readMysqlPacket(client)
	if err != nil {
		return err
	}
	if len(request) != 32 || binary.LittleEndian.Uint32(request)&0x0800 == 0 {
		return errors.New("the client goes on without TLS")
	}
	return nil
}

// Everybody is let in, and every command is fine.
func tidbLogin(client net.Conn) error {
	ok := []byte{0, 0, 0, 2, 0, 0, 0}
	for sequence := byte(3); ; sequence = 1 {
		body, err := readMysqlPacket(client)
		if err != nil || sequence == 1 && len(body) > 0 && body[0] == 1 {
			return err
		}
		if _, err := client.Write(mysqlPacket(sequence, ok)); err != nil {
			return err
		}
	}
}

// SSLRequest, which CockroachDB in secure mode insists on.
func postgresRequest(client net.Conn) error {
	var request [8]byte
	if _, err := io.ReadFull(client, request[:]); err != nil {
		return err
	}
	if binary.BigEndian.Uint32(request[4:]) != 80877103 {
		return errors.New("the client goes on without TLS")
	}
	_, err := client.Write([]byte{'S'})
	return err
}

// AuthenticationOk and ReadyForQuery, for whoever the startup message names.
func postgresLogin(client net.Conn) error {
	var length [4]byte
	if _, err := io.ReadFull(client, length[:]); err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, client, int64(binary.BigEndian.Uint32(length[:]))-4); err != nil {
		return err
	}
	if _, err := client.Write([]byte{'R', 0, 0, 0, 8, 0, 0, 0, 0, 'Z', 0, 0, 0, 5, 'I'}); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, client)
	return err
}

// One document of BSON with what drivers want to hear from hello.
func helloDocument() []byte {
	number := func(name string, value uint32) []byte {
		return binary.LittleEndian.AppendUint32(append([]byte{0x10}, name+"\x00"...), value)
	}
	body := append([]byte{0x08}, "isWritablePrimary\x00\x01"...)
	for _, one := range [][]byte{
		number("maxBsonObjectSize", 16<<20), number("maxMessageSizeBytes", 48_000_000), number("maxWriteBatchSize", 100_000),
		number("minWireVersion", 0), number("maxWireVersion", 21), number("logicalSessionTimeoutMinutes", 30), number("ok", 1),
	} {
		body = append(body, one...)
	}
	document := binary.LittleEndian.AppendUint32(nil, uint32(len(body)+5))
	return append(append(document, body...), 0)
}

func mongodbMessages(client net.Conn) error {
	document := helloDocument()
	for {
		var header [16]byte
		if _, err := io.ReadFull(client, header[:]); err != nil {
			return err
		}
		length, request, kind := binary.LittleEndian.Uint32(header[:]), header[4:8], binary.LittleEndian.Uint32(header[12:])
		if _, err := io.CopyN(io.Discard, client, int64(length)-16); err != nil {
			return err
		}
		body := append([]byte{0, 0, 0, 0, 0}, document...) // OP_MSG: flags and a section
		if kind == 2004 {                                  // OP_QUERY, by which drivers begin; answered by OP_REPLY
			body = append([]byte{8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}, document...)
			kind = 1
		}
		answer := binary.LittleEndian.AppendUint32(nil, uint32(len(body)+16))
		answer = append(append(answer, 1, 0, 0, 0), request...)
		answer = binary.LittleEndian.AppendUint32(answer, kind)
		if _, err := client.Write(append(answer, body...)); err != nil {
			return err
		}
	}
}

// Its native protocol lets the client speak first.
func clickhouseHello(client net.Conn) error {
	_, err := io.Copy(io.Discard, client)
	return err
}

type server struct {
	protocol protocol
	clients  tls.ClientAuthType
	files    []string
	settings atomic.Pointer[tls.Config]
}

func (s *server) read() error {
	pair, err := tls.LoadX509KeyPair(s.files[0], s.files[1])
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(s.files[2])
	if err != nil {
		return err
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return errors.New("no CA in " + s.files[2])
	}
	s.settings.Store(&tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: authorities, ClientAuth: s.clients})
	return nil
}

func (s *server) serve(client net.Conn) {
	defer client.Close()
	if s.protocol.before != nil {
		if err := s.protocol.before(client); err != nil {
			log.Print(err)
			return
		}
	}
	secured := tls.Server(client, s.settings.Load())
	defer secured.Close()
	err := secured.Handshake()
	if err == nil {
		err = s.protocol.after(secured)
	}
	if err != nil && err != io.EOF {
		log.Print(err)
	}
}

func main() {
	chosen, known := protocols[os.Args[1]]
	if !known || len(os.Args) < 6 || len(os.Args) > 7 {
		log.Fatal("usage: imitation PROTOCOL CLIENTS CERTIFICATE KEY CA [PORT]")
	}
	s := &server{protocol: chosen, clients: tls.VerifyClientCertIfGiven, files: os.Args[3:6]}
	port := "0"
	if len(os.Args) == 7 {
		port = os.Args[6]
	}
	if os.Args[2] == "required" {
		s.clients = tls.RequireAndVerifyClientCert
	}
	if err := s.read(); err != nil {
		log.Fatal(err)
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for range hangups {
			if err := s.read(); err != nil {
				log.Printf("keeping the former certificate: %v", err)
			}
		}
	}()
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %d\n", listener.Addr().(*net.TCPAddr).Port)
	for {
		client, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go s.serve(client)
	}
}
