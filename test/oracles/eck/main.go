// Reads Secrets with the code by which Elastic Cloud on Kubernetes reads those that a person brings along.
//
//	eck < JSON array of {"purpose": "http" | "transport", "secret": Secret}
//
// Answers with a JSON array: what is wrong with each, an empty string where nothing is. The license of these packages is Elastic's;
// they judge in tests and are part of nothing that is given away.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"

	"github.com/elastic/cloud-on-k8s/v3/pkg/controller/common/certificates"
	corev1 "k8s.io/api/core/v1"
)

type request struct {
	Purpose string        `json:"purpose"`
	Secret  corev1.Secret `json:"secret"`
}

func pairIsOne(secret *certificates.CertificatesSecret) error {
	key, err := certificates.ParsePEMPrivateKey(secret.KeyPem())
	if err != nil {
		return err
	}
	leaf, err := certificates.GetPrimaryCertificate(secret.CertPem())
	if err != nil {
		return err
	}
	if !certificates.PrivateMatchesPublicKey(context.Background(), leaf.PublicKey, key) {
		return errors.New("the key is not the certificate's")
	}
	return nil
}

// As the reconcilers of the HTTP and of the transport layer go about it.
func judge(one request) error {
	if one.Purpose == "transport" {
		ca, err := certificates.ParseCustomCASecret(one.Secret)
		if err != nil {
			return err
		}
		return certificates.ValidateCustomCA(context.Background(), ca)
	}
	secret, err := certificates.NewCertificatesSecret(one.Secret)
	if err != nil {
		return err
	}
	if secret.HasCAPrivateKey() {
		return certificates.ValidateCustomCA(context.Background(), secret.CA())
	}
	if !secret.HasCA() {
		return errors.New("clients are told of no CA")
	}
	return pairIsOne(secret)
}

func main() {
	var requests []request
	if err := json.NewDecoder(os.Stdin).Decode(&requests); err != nil {
		log.Fatal(err)
	}
	answers := []string{}
	for _, one := range requests {
		answer := ""
		if err := judge(one); err != nil {
			answer = err.Error()
		}
		answers = append(answers, answer)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		log.Fatal(err)
	}
}
