/**
 * The exact shape of every Secret, each with the file of the operator's own repository that fixes it, at the commit it was
 * read at. Without a repository: the documentation, or our own choice where the reader leaves the names open.
 */
import { describe, expect, it } from 'vitest'
import { presets } from '../../resources/layout-names.ts'
import { secretsOfPreset } from './shape.ts'

const usual = 'tls: tls.crt=CertificateChain tls.key=PrivateKey ca.crt=TrustBundle'
const cnpg = 'cloudnative-pg/cloudnative-pg@a95a534dbe08:'
const crunchy =
  'CrunchyData/postgres-operator@0fbac3062d64:pkg/apis/postgres-operator.crunchydata.com/v1beta1/postgrescluster_types.go (CustomTLSSecret)'
const percona =
  'percona/percona-postgresql-operator@adafb34ff17c:internal/controller/postgrescluster/pki.go, deploy/cr.yaml'
const pxc = 'percona/percona-xtradb-cluster-operator@b3b0b10a7c2a:'
const psmdb = 'percona/percona-server-mongodb-operator@b15af50030bf:'
const mysql = 'mysql/mysql-operator@aec777a1f91d:mysqloperator/'
const mariadb = 'mariadb-operator/mariadb-operator@8970edf8368c:'
const tidb1 = 'pingcap/tidb-operator@edf76fd646cb:pkg/util/util.go (release-1.6)'
const tidb2 = 'pingcap/tidb-operator@42684baa3d1c:'
const strimzi = 'strimzi/strimzi-kafka-operator@8541da1e336b:documentation/modules/security/'
const cockroach = 'cockroachdb/helm-charts@a26cc90afdac:'
const opensearch =
  'opensearch-project/opensearch-k8s-operator@ef6502ab2712:docs/userguide/main.md, opensearch-operator/pkg/reconcilers/tls.go'
const etcd = 'etcd-io/etcd-operator@77c7f1085459:internal/controller/utils.go, pkg/certificate/auto/provider.go'
const bitnami = 'bitnami/charts@5165628ae066:bitnami/'

const rows: readonly { layout: string; name: string; shape: string; source: string }[] = [
  {
    layout: 'CloudNativePG/server',
    name: '{cluster}-server-tls',
    shape: `${usual} [cnpg.io/reload=]`,
    source: `${cnpg}docs/src/certificates.md, pkg/utils/labels_annotations.go`,
  },
  {
    layout: 'CloudNativePG/replication',
    name: '{cluster}-replication-tls',
    shape: `${usual} [cnpg.io/reload=] CN=streaming_replica`,
    source: `${cnpg}docs/src/certificates.md`,
  },
  {
    layout: 'CloudNativePG/ca',
    name: '{cluster}-ca',
    shape: 'Opaque: ca.crt=TrustBundle [cnpg.io/reload=]',
    source: `${cnpg}docs/src/certificates.md`,
  },
  {
    layout: 'CloudNativePG/ca-key',
    name: '{cluster}-ca',
    shape: 'Opaque: ca.crt=AuthorityCertificate ca.key=AuthorityPrivateKey(SEC1) [cnpg.io/reload=]',
    source: `${cnpg}pkg/certs/certs.go (ParseECPrivateKey, ParseCASecret)`,
  },
  {
    layout: 'PerconaPostgreSQL/root-ca-key',
    name: '{cluster}-root-ca',
    shape: 'Opaque: root.crt=AuthorityCertificate root.key=AuthorityPrivateKey(SEC1)',
    source: `${percona}, internal/pki/encoding.go`,
  },
  {
    layout: 'MariaDBOperator/ca',
    name: '{cluster}-ca',
    shape: 'Opaque: ca.crt=TrustBundle [k8s.mariadb.com/watch=]',
    source: `${mariadb}docs/tls.md`,
  },
  {
    layout: 'MariaDBOperator/ca-key',
    name: '{cluster}-ca',
    shape: 'Opaque: ca.crt=AuthorityCertificate ca.key=AuthorityPrivateKey(SEC1) [k8s.mariadb.com/watch=]',
    source: `${mariadb}pkg/pki/keypair.go, pkg/pki/private_key.go`,
  },
  ...['cluster', 'clients'].flatMap((which) => [
    {
      layout: `Strimzi/${which}-ca-cert`,
      name: `={cluster}-${which}-ca-cert`,
      shape:
        'Opaque: ca.crt=AuthorityCertificate [strimzi.io/kind=Kafka strimzi.io/cluster={cluster} strimzi.io/ca-cert-generation=#ca.crt]',
      source: `${strimzi}proc-installing-your-own-ca-certificates.adoc, proc-renewing-your-own-ca-certificates.adoc`,
    },
    {
      layout: `Strimzi/${which}-ca-key`,
      name: `={cluster}-${which}-ca`,
      shape:
        'Opaque: ca.key=AuthorityPrivateKey(PKCS8) [strimzi.io/kind=Kafka strimzi.io/cluster={cluster} strimzi.io/ca-key-generation=#ca.key]',
      source: `${strimzi}proc-installing-your-own-ca-certificates.adoc`,
    },
  ]),
  ...['http', 'transport'].map((which) => ({
    layout: `ECK/${which}-ca-key`,
    name: `{cluster}-${which}-ca`,
    shape: 'Opaque: ca.crt=AuthorityCertificate ca.key=AuthorityPrivateKey(Traditional)',
    source: 'elastic/cloud-on-k8s@7b93383d8ec1:pkg/controller/common/certificates/ca_secret.go, secret.go',
  })),
  {
    layout: 'Zalando/server',
    name: '{cluster}-tls',
    shape: usual,
    source: 'zalando/postgres-operator@a7aaad0a0b95:docs/user.md, pkg/cluster/k8sres.go',
  },
  { layout: 'Crunchy/server', name: '{cluster}-server-tls', shape: usual, source: crunchy },
  {
    layout: 'Crunchy/replication',
    name: '{cluster}-replication-tls',
    shape: `${usual} CN=_crunchyrepl`,
    source: `${crunchy}; internal/patroni/config_test.go`,
  },
  {
    layout: 'Crunchy/pgbouncer',
    name: '{cluster}-pgbouncer-tls',
    shape: usual,
    source: 'CrunchyData/postgres-operator@0fbac3062d64:internal/pgbouncer/certificates.go',
  },
  { layout: 'PerconaPostgreSQL/server', name: '{cluster}-server-tls', shape: usual, source: percona },
  {
    layout: 'PerconaPostgreSQL/replication',
    name: '{cluster}-replication-tls',
    shape: `${usual} CN=_crunchyrepl`,
    source: percona,
  },
  { layout: 'PerconaPostgreSQL/pgbouncer', name: '{cluster}-pgbouncer-tls', shape: usual, source: percona },
  {
    layout: 'PerconaXtraDBCluster/ssl',
    name: '{cluster}-ssl',
    shape: usual,
    source: `${pxc}deploy/ssl-secrets.yaml, pkg/apis/pxc/v1/pxc_types.go`,
  },
  {
    layout: 'PerconaXtraDBCluster/ssl-internal',
    name: '{cluster}-ssl-internal',
    shape: usual,
    source: `${pxc}deploy/ssl-internal-secrets.yaml, pkg/apis/pxc/v1/pxc_types.go`,
  },
  {
    layout: 'PerconaServerMySQL/ssl',
    name: '{cluster}-ssl',
    shape: usual,
    source:
      'percona/percona-server-mysql-operator@9adfefaacaaf:api/v1/perconaservermysql_types.go (DefaultSSLSecretName), build/ps-entrypoint.sh',
  },
  {
    layout: 'PerconaServerMongoDB/ssl',
    name: '{cluster}-ssl',
    shape: usual,
    source: `${psmdb}pkg/apis/psmdb/v1/psmdb_defaults.go, build/ps-entry.sh`,
  },
  {
    layout: 'PerconaServerMongoDB/ssl-internal',
    name: '{cluster}-ssl-internal',
    shape: usual,
    source: `${psmdb}pkg/apis/psmdb/v1/psmdb_defaults.go, build/ps-entry.sh`,
  },
  {
    layout: 'OracleMySQLOperator/server',
    name: '{cluster}-tls',
    shape: 'tls: tls.crt=CertificateChain tls.key=PrivateKey ca.pem=TrustBundle',
    source: `${mysql}sidecar_main.py, controller/innodbcluster/cluster_api.py (same_secret)`,
  },
  {
    layout: 'OracleMySQLOperator/server-crl',
    name: '{cluster}-tls',
    shape: 'tls: tls.crt=CertificateChain tls.key=PrivateKey ca.pem=TrustBundle crl.pem=RevocationList',
    source: `${mysql}sidecar_main.py, controller/innodbcluster/cluster_objects.py`,
  },
  {
    layout: 'OracleMySQLOperator/router',
    name: '{cluster}-router-tls',
    shape: 'tls: tls.crt=CertificateChain tls.key=PrivateKey',
    source: `${mysql}controller/innodbcluster/cluster_api.py, router_objects.py`,
  },
  {
    layout: 'MariaDBOperator/server',
    name: '{cluster}-server-tls',
    shape: `${usual} [k8s.mariadb.com/watch=]`,
    source: `${mariadb}docs/tls.md, pkg/metadata/metadata.go`,
  },
  {
    layout: 'MariaDBOperator/client',
    name: '{cluster}-client-tls',
    shape: `${usual} [k8s.mariadb.com/watch=]`,
    source: `${mariadb}docs/tls.md, pkg/metadata/metadata.go`,
  },
  {
    layout: 'TiDBOperatorV1/component',
    name: '={cluster}-{component}-cluster-secret',
    shape: `${usual} CN=TiDB`,
    source: tidb1,
  },
  {
    layout: 'TiDBOperatorV1/cluster-client',
    name: '={cluster}-cluster-client-secret',
    shape: `${usual} CN=TiDB`,
    source: tidb1,
  },
  { layout: 'TiDBOperatorV1/server', name: '={cluster}-tidb-server-secret', shape: usual, source: tidb1 },
  { layout: 'TiDBOperatorV1/client', name: '{cluster}-tidb-client-secret', shape: usual, source: tidb1 },
  {
    layout: 'TiDBOperatorV2/component',
    name: '{cluster}-{component}-cluster-secret',
    shape: `${usual} CN=TiDB`,
    source: `${tidb2}api/core/v1alpha1/cluster_types.go, pkg/utils/tls/tls.go`,
  },
  {
    layout: 'TiDBOperatorV2/cluster-client',
    name: '{cluster}-cluster-client-secret',
    shape: `${usual} CN=TiDB`,
    source: `${tidb2}pkg/apiutil/core/v1alpha1/cluster.go`,
  },
  {
    layout: 'TiDBOperatorV2/server',
    name: '{cluster}-tidb-server-secret',
    shape: usual,
    source: `${tidb2}pkg/apiutil/core/v1alpha1/tidb.go`,
  },
  {
    layout: 'TiDBOperatorV2/client',
    name: '{cluster}-tidb-client-secret',
    shape: usual,
    source: `${tidb2}api/core/v1alpha1/tidb_types.go`,
  },
  {
    layout: 'MongoDBCommunity/server',
    name: '{cluster}-tls',
    shape: usual,
    source: 'mongodb/mongodb-kubernetes-operator@f6a53c96128e:controllers/mongodb_tls.go',
  },
  {
    layout: 'MongoDBCommunity/pem',
    name: '{cluster}-tls',
    shape: 'Opaque: tls.pem=ChainThenKey ca.crt=TrustBundle',
    source:
      'mongodb/mongodb-kubernetes-operator@f6a53c96128e:controllers/mongodb_tls.go (getPemOrConcatenatedCrtAndKey)',
  },
  {
    layout: 'OTRedisOperator/server',
    name: '{cluster}-tls',
    shape: usual,
    source: 'OT-CONTAINER-KIT/redis-operator@5dd04e17419a:example/v1beta2/tls_enabled/redis-standalone.yaml',
  },
  {
    layout: 'Strimzi/listener',
    name: '{cluster}-listener-tls',
    shape: usual,
    source: `${strimzi}proc-installing-certs-per-listener.adoc (names are open)`,
  },
  {
    layout: 'Strimzi/user',
    name: '{client}',
    shape:
      'Opaque: ca.crt=TrustBundle user.crt=CertificateChain user.key=PrivateKey user.p12=PKCS12Keystore user.password=Password',
    source: `${strimzi}ref-certificates-and-secrets.adoc`,
  },
  {
    layout: 'K8ssandra/stores',
    name: '{cluster}-stores',
    shape:
      'Opaque: keystore=JKSKeystore keystore-password=Password truststore=JKSTruststore truststore-password=Password',
    source:
      'k8ssandra/k8ssandra-operator@9e3d1b51d217:pkg/encryption/encryption_stores.go, pkg/cassandra/encryption.go',
  },
  {
    layout: 'CockroachDBChart/node',
    name: 'cockroachdb-node',
    shape: 'Opaque: ca.crt=TrustBundle node.crt=CertificateChain node.key=PrivateKey CN=node',
    source: `${cockroach}cockroachdb/values.yaml, cockroachdb/templates/statefulset.yaml`,
  },
  {
    layout: 'CockroachDBChart/client-root',
    name: 'cockroachdb-root',
    shape: 'Opaque: ca.crt=TrustBundle client.root.crt=CertificateChain client.root.key=PrivateKey CN=root',
    source: `${cockroach}cockroachdb/values.yaml, cockroachdb/templates/_helpers.tpl`,
  },
  {
    layout: 'CockroachDBOperator/node',
    name: '{cluster}-node',
    shape: `${usual} CN=node`,
    source: `${cockroach}cockroachdb-parent/charts/cockroachdb/values.yaml (externalCertificates)`,
  },
  {
    layout: 'CockroachDBOperator/client-root',
    name: '{cluster}-client-root',
    shape: `${usual} CN=root`,
    source: `${cockroach}cockroachdb-parent/charts/cockroachdb/values.yaml (externalCertificates)`,
  },
  {
    layout: 'ECK/http',
    name: '{cluster}-http-tls',
    shape: 'tls: tls.crt=CertificateChain tls.key=PrivateKey(Traditional) ca.crt=TrustBundle',
    source: 'elastic/cloud-on-k8s@7b93383d8ec1:pkg/controller/common/certificates/pem.go, secret.go',
  },
  ...['transport', 'http'].map((secret) => ({
    layout: `OpenSearchOperator/${secret}`,
    name: `{cluster}-${secret}-tls`,
    shape: 'tls: tls.crt=CertificateChain tls.key=PrivateKey(PKCS8) ca.crt=TrustBundle',
    source: opensearch,
  })),
  {
    layout: 'OpenSearchOperator/admin',
    name: '{cluster}-admin-cert',
    shape: 'tls: tls.crt=CertificateChain tls.key=PrivateKey(PKCS8) ca.crt=TrustBundle',
    source: `${opensearch}, opensearch-operator/pkg/reconcilers/securityconfig.go`,
  },
  ...['server', 'peer', 'client'].map((secret) => ({
    layout: `EtcdOperator/${secret}`,
    name: `={cluster}-${secret}-tls`,
    shape: usual,
    source: etcd,
  })),
  {
    layout: 'Bitnami/pem',
    name: '{cluster}-tls',
    shape: usual,
    source: `${bitnami}{mysql,mariadb,mongodb,kafka,…}/values.yaml (names are open in postgresql, mariadb-galera, redis, valkey)`,
  },
  {
    layout: 'Bitnami/etcd',
    name: '{cluster}-tls',
    shape: 'Opaque: cert.pem=CertificateChain key.pem=PrivateKey ca.crt=TrustBundle',
    source: `${bitnami}etcd/values.yaml`,
  },
  {
    layout: 'Bitnami/kafka-jks',
    name: '{cluster}-jks',
    shape:
      'Opaque: kafka.keystore.jks=JKSKeystore kafka.truststore.jks=JKSTruststore keystore-password=Password truststore-password=Password',
    source: `${bitnami}kafka/values.yaml`,
  },
  {
    layout: 'Bitnami/cassandra',
    name: '{cluster}-stores',
    shape:
      'Opaque: keystore=JKSKeystore truststore=JKSTruststore keystore-password=Password truststore-password=Password',
    source: `${bitnami}cassandra/values.yaml`,
  },
  {
    layout: 'Bitnami/elasticsearch-jks',
    name: '{cluster}-jks',
    shape:
      'Opaque: elasticsearch.keystore.jks=JKSKeystore elasticsearch.truststore.jks=JKSTruststore keystore-password=Password truststore-password=Password',
    source: `${bitnami}elasticsearch/values.yaml`,
  },
  {
    layout: 'AltinityClickHouse/server',
    name: '{cluster}-tls',
    shape: 'Opaque: server.crt=CertificateChain server.key=PrivateKey ca.crt=TrustBundle',
    source: 'Altinity/clickhouse-operator@50e8d0490678:docs/chi-examples/22-secure-ssl-02-files-secret-ref.yaml',
  },
  {
    layout: 'MySQLDataDirectory/server',
    name: '{cluster}-server-tls',
    shape: 'Opaque: ca.pem=TrustBundle server-cert.pem=CertificateChain server-key.pem=PrivateKey',
    source: 'MySQL manual, "Creating SSL and RSA Certificates and Keys using MySQL"',
  },
  {
    layout: 'MySQLDataDirectory/client',
    name: '{cluster}-{client}-tls',
    shape: 'Opaque: ca.pem=TrustBundle client-cert.pem=CertificateChain client-key.pem=PrivateKey',
    source: 'MySQL manual, "Creating SSL and RSA Certificates and Keys using MySQL"',
  },
  {
    layout: 'PostgreSQLFiles/server',
    name: '{cluster}-server-tls',
    shape: 'Opaque: server.crt=CertificateChain server.key=PrivateKey root.crt=TrustBundle',
    source: 'PostgreSQL manual, "Secure TCP/IP Connections with SSL"',
  },
  {
    layout: 'PostgreSQLFiles/client',
    name: '{cluster}-{client}-tls',
    shape: 'Opaque: postgresql.crt=CertificateChain postgresql.key=PrivateKey root.crt=TrustBundle',
    source: 'PostgreSQL manual, "libpq: SSL Support"',
  },
  {
    layout: 'OpenXchange/client',
    name: '{cluster}-{client}-tls',
    shape:
      'Opaque: ca.pem=TrustBundle client-cert.pem=CertificateChain client-key.pem=PrivateKey(PKCS1) keystore.jks=JKSKeystore@mysqlclient truststore.jks=JKSTruststore@MySQLCACert keystore-password=Password',
    source: 'documentation.open-xchange.com, "Database Connection Encryption" (aliases and form of the key)',
  },
]

const shapes = new Map(
  presets.flatMap((preset) =>
    [...secretsOfPreset(preset)].map(([name, secret]) => {
      const items = secret.items.map(
        ({ key, content, encoding, alias }) =>
          `${key}=${content}${encoding === undefined ? '' : `(${encoding})`}${alias === undefined ? '' : `@${alias}`}`,
      )
      const counters = Object.entries(secret.counters ?? {}).map(([key, counted]) => [key, `#${counted}`])
      const marks = [...Object.entries({ ...secret.labels, ...secret.annotations }), ...counters].map((pair) =>
        pair.join('='),
      )
      const shape = [
        `${secret.type === 'Opaque' ? 'Opaque' : 'tls'}:`,
        ...items,
        ...(marks.length === 0 ? [] : [`[${marks.join(' ')}]`]),
        ...(secret.commonName === undefined ? [] : [`CN=${secret.commonName}`]),
      ]
      return [
        `${preset}/${name}`,
        { name: `${secret.fixedName === true ? '=' : ''}${secret.secretName}`, shape: shape.join(' ') },
      ]
    }),
  ),
)

describe('a layout is what its operator reads', () => {
  it.each(rows)('$layout: $source', ({ layout, name, shape }) => {
    expect(shapes.get(layout)).toEqual({ name, shape })
  })

  it('and none is without a source', () => {
    expect([...shapes.keys()].toSorted()).toEqual(rows.map(({ layout }) => layout).toSorted())
    for (const { source } of rows) expect(source).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{12}:\S|manual|documentation/)
  })
})
