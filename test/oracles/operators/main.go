// Reads what a person writes into a database operator's resource with the operator's own types, which know every field or refuse,
// and answers by the operator's own functions which Secrets it then looks for.
//
//	operators < JSON array of resources
//
// Answers with a JSON array of {"problem", "secrets": {what for: name}}.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	cnpg "github.com/cloudnative-pg/cloudnative-pg/api/v1"
	perconapg "github.com/percona/percona-postgresql-operator/v2/pkg/apis/pgv2.percona.com/v2"
	psmdb "github.com/percona/percona-server-mongodb-operator/pkg/apis/psmdb/v1"
	mongodbversion "github.com/percona/percona-server-mongodb-operator/pkg/version"
	zalando "github.com/zalando/postgres-operator/pkg/apis/acid.zalan.do/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type resource struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   metav1.ObjectMeta `json:"metadata"`
	Spec       json.RawMessage   `json:"spec"`
}

type answer struct {
	Problem string            `json:"problem"`
	Secrets map[string]string `json:"secrets"`
}

func strictly(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

func named(projection *corev1.SecretProjection) string {
	if projection == nil {
		return ""
	}
	return projection.Name
}

func secretsOf(from resource) (map[string]string, error) {
	switch from.APIVersion + " " + from.Kind {
	case "postgresql.cnpg.io/v1 Cluster":
		cluster := cnpg.Cluster{ObjectMeta: from.Metadata}
		err := strictly(from.Spec, &cluster.Spec)
		return map[string]string{
			"server":      cluster.GetServerTLSSecretName(),
			"serverCA":    cluster.GetServerCASecretName(),
			"replication": cluster.GetReplicationSecretName(),
			"clientCA":    cluster.GetClientCASecretName(),
		}, err
	case "acid.zalan.do/v1 postgresql":
		var spec zalando.PostgresSpec
		if err := strictly(from.Spec, &spec); err != nil || spec.TLS == nil {
			return nil, err
		}
		return map[string]string{"server": spec.TLS.SecretName, "ca": spec.TLS.CAFile}, nil
	case "pgv2.percona.com/v2 PerconaPGCluster":
		cluster := perconapg.PerconaPGCluster{ObjectMeta: from.Metadata}
		if err := strictly(from.Spec, &cluster.Spec); err != nil {
			return nil, err
		}
		cluster.Default()
		secrets := map[string]string{
			"server":      named(cluster.Spec.Secrets.CustomTLSSecret),
			"replication": named(cluster.Spec.Secrets.CustomReplicationClientTLSSecret),
			"root-ca-key": named(cluster.Spec.Secrets.CustomRootCATLSSecret),
		}
		if proxy := cluster.Spec.Proxy; proxy != nil && proxy.PGBouncer != nil {
			secrets["pgbouncer"] = named(proxy.PGBouncer.CustomTLSSecret)
		}
		return secrets, nil
	case "psmdb.percona.com/v1 PerconaServerMongoDB":
		cluster := psmdb.PerconaServerMongoDB{ObjectMeta: from.Metadata}
		if err := strictly(from.Spec, &cluster.Spec); err != nil {
			return nil, err
		}
		err := cluster.CheckNSetDefaults(context.Background(), mongodbversion.PlatformKubernetes)
		if err != nil {
			return nil, err
		}
		return map[string]string{
			"ssl":          psmdb.SSLSecretName(&cluster),
			"ssl-internal": psmdb.SSLInternalSecretName(&cluster),
		}, nil
	}
	return nil, fmt.Errorf("no types for %s %s", from.APIVersion, from.Kind)
}

func main() {
	var resources []resource
	if err := json.NewDecoder(os.Stdin).Decode(&resources); err != nil {
		log.Fatal(err)
	}
	answers := []answer{}
	for _, one := range resources {
		secrets, err := secretsOf(one)
		if err != nil {
			answers = append(answers, answer{Problem: err.Error()})
			continue
		}
		answers = append(answers, answer{Secrets: secrets})
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		log.Fatal(err)
	}
}
