package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

type sampleReport struct {
	Sample   string   `json:"sample"`
	Problems []string `json:"problems"`
}

// What a Go program would make of one folder: root.pem, chain.pem (leaf first, root last), lists.pem where there are any,
// and the words of purposes: server, client.
func examineSample(folder, host string) error {
	chain, err := certificates(filepath.Join(folder, "chain.pem"))
	if err != nil {
		return err
	}
	words, err := os.ReadFile(filepath.Join(folder, "purposes"))
	if err != nil {
		return err
	}
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(chain[len(chain)-1])
	for _, between := range chain[1:] {
		intermediates.AddCert(between)
	}
	options := x509.VerifyOptions{Roots: roots, Intermediates: intermediates}
	purposes := strings.Fields(string(words))
	if len(purposes) == 0 {
		options.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
		if _, err := chain[0].Verify(options); err != nil {
			return err
		}
	}
	for _, purpose := range purposes {
		options.KeyUsages, options.DNSName = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, ""
		if purpose == "server" {
			options.KeyUsages, options.DNSName = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, host
		}
		if _, err := chain[0].Verify(options); err != nil {
			return err
		}
	}
	return revoked(folder, chain)
}

// Go verifies no chain against revocation lists; a program that wants to does this.
func revoked(folder string, chain []*x509.Certificate) error {
	bytes, err := os.ReadFile(filepath.Join(folder, "lists.pem"))
	if os.IsNotExist(err) {
		return nil
	}
	for {
		var block *pem.Block
		if block, bytes = pem.Decode(bytes); block == nil {
			return err
		}
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return err
		}
		if list.NextUpdate.Before(time.Now()) {
			return errors.New("the list is out of date")
		}
		for index, one := range chain[:len(chain)-1] {
			if string(one.RawIssuer) != string(list.RawIssuer) {
				continue
			}
			if err := list.CheckSignatureFrom(chain[index+1]); err != nil {
				return err
			}
			for _, entry := range list.RevokedCertificateEntries {
				if entry.SerialNumber.Cmp(one.SerialNumber) == 0 {
					return fmt.Errorf("revoked, reason %d", entry.ReasonCode)
				}
			}
		}
	}
}

func examineSamples(directory, host string) error {
	folders, err := os.ReadDir(directory)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		found := sampleReport{folder.Name(), []string{}}
		if err := examineSample(filepath.Join(directory, folder.Name()), host); err != nil {
			found.Problems = append(found.Problems, err.Error())
		}
		if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
			return err
		}
	}
	return nil
}
