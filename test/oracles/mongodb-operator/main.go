// Has the community operator of MongoDB reconcile a replica set whose TLS is in a Secret that a person brought along.
//
//	mongodb-operator < JSON array of {"secret": Secret}
//
// Answers with a JSON array of {"problem": "", "pem": the file it makes of it for mongod, "ca": what it trusts}.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	mdbv1 "github.com/mongodb/mongodb-kubernetes-operator/api/v1"
	"github.com/mongodb/mongodb-kubernetes-operator/controllers"
	kubeClient "github.com/mongodb/mongodb-kubernetes-operator/pkg/kube/client"
	"github.com/mongodb/mongodb-kubernetes-operator/pkg/kube/secret"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

type request struct {
	Secret corev1.Secret `json:"secret"`
}

type answer struct {
	Problem string `json:"problem"`
	Pem     string `json:"pem"`
	CA      string `json:"ca"`
}

func replicaSet(tls corev1.Secret) mdbv1.MongoDBCommunity {
	reference := corev1.LocalObjectReference{Name: tls.Name}
	return mdbv1.MongoDBCommunity{
		ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: tls.Namespace, Annotations: map[string]string{}},
		Spec: mdbv1.MongoDBCommunitySpec{
			Members: 3,
			Version: "6.0.5",
			Security: mdbv1.Security{
				Authentication: mdbv1.Authentication{Modes: []mdbv1.AuthMode{"SCRAM"}},
				TLS:            mdbv1.TLS{Enabled: true, CertificateKeySecret: reference, CaCertificateSecret: &reference},
			},
		},
	}
}

// The operator names its files after a digest of their contents.
func onlyFile(client kubeClient.Client, name types.NamespacedName) (string, error) {
	data, err := secret.ReadStringData(client, name)
	if err != nil {
		// The mock's errors have no words.
		return "", fmt.Errorf("the operator made no %s %w", name, err)
	}
	if len(data) != 1 {
		return "", fmt.Errorf("%s holds %d files", name, len(data))
	}
	for _, text := range data {
		return text, nil
	}
	return "", nil
}

func judge(one request) (answer, error) {
	tls := one.Secret
	// The mock of an API server does not accept what one would set.
	tls.ObjectMeta = metav1.ObjectMeta{Name: tls.Name, Namespace: tls.Namespace, Labels: tls.Labels}
	set := replicaSet(tls)
	manager := kubeClient.NewManager(&set)
	client := kubeClient.NewClient(manager.GetClient())
	if err := client.CreateSecret(tls); err != nil {
		return answer{}, err
	}
	at := reconcile.Request{NamespacedName: set.NamespacedName()}
	if _, err := controllers.NewReconciler(manager).Reconcile(context.Background(), at); err != nil {
		return answer{}, err
	}
	pem, err := onlyFile(client, set.TLSOperatorSecretNamespacedName())
	if err != nil {
		return answer{}, err
	}
	ca, err := onlyFile(client, set.TLSOperatorCASecretNamespacedName())
	return answer{Pem: pem, CA: ca}, err
}

func main() {
	var requests []request
	if err := json.NewDecoder(os.Stdin).Decode(&requests); err != nil {
		log.Fatal(err)
	}
	answers := []answer{}
	for _, one := range requests {
		found, err := judge(one)
		if err != nil {
			found.Problem = err.Error()
		}
		answers = append(answers, found)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		log.Fatal(err)
	}
}
