// Says, with nothing but Go's standard library, whether a server or client written in Go can use a Secret's files.
//
//	usage: oracle DIRECTORY [DNS-NAME]
//	       oracle samples DIRECTORY DNS-NAME      a verdict on each of its folders; see samples.go
//
// The directory holds tls.crt (leaf and intermediates), tls.key and ca.crt. One JSON object is printed; its problems are
// empty when everything fits. The exit code is 1 only when the program itself could not do its work.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

type report struct {
	Subject      string   `json:"subject"`
	SerialNumber string   `json:"serialNumber"`
	DNSNames     []string `json:"dnsNames"`
	NotBefore    string   `json:"notBefore"`
	NotAfter     string   `json:"notAfter"`
	ChainLength  int      `json:"chainLength"`
	PublicKey    string   `json:"publicKeyAlgorithm"`
	Problems     []string `json:"problems"`
}

func certificates(file string) ([]*x509.Certificate, error) {
	bytes, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var found []*x509.Certificate
	for {
		var block *pem.Block
		if block, bytes = pem.Decode(bytes); block == nil {
			return found, nil
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
		found = append(found, certificate)
	}
}

func examine(dir, name string) (report, error) {
	var result report
	result.Problems = []string{}
	problem := func(err error) { result.Problems = append(result.Problems, err.Error()) }

	chain, err := certificates(filepath.Join(dir, "tls.crt"))
	if err != nil {
		return result, err
	}
	if len(chain) == 0 {
		problem(fmt.Errorf("tls.crt holds no certificate"))
		return result, nil
	}
	anchors, err := certificates(filepath.Join(dir, "ca.crt"))
	if err != nil {
		return result, err
	}
	leaf := chain[0]
	result.Subject = leaf.Subject.String()
	result.SerialNumber = fmt.Sprintf("%X", leaf.SerialNumber)
	result.DNSNames = leaf.DNSNames
	result.NotBefore = leaf.NotBefore.UTC().Format(time.RFC3339)
	result.NotAfter = leaf.NotAfter.UTC().Format(time.RFC3339)
	result.PublicKey = leaf.PublicKeyAlgorithm.String()

	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	for _, anchor := range anchors {
		roots.AddCert(anchor)
	}
	for _, intermediate := range chain[1:] {
		intermediates.AddCert(intermediate)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, DNSName: name,
		// The role of the certificate is the caller's business: any one it has will do here.
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		problem(err)
	} else {
		result.ChainLength = len(chains[0])
	}
	// X509KeyPair also compares the private key with the leaf's public key.
	if _, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")); err != nil {
		problem(err)
	}
	return result, nil
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: oracle DIRECTORY [DNS-NAME]")
		os.Exit(2)
	}
	if len(os.Args) == 4 && os.Args[1] == "samples" {
		if err := examineSamples(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	name := ""
	if len(os.Args) > 2 {
		name = os.Args[2]
	}
	result, err := examine(os.Args[1], name)
	if err != nil {
		result.Problems = append(result.Problems, err.Error())
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
