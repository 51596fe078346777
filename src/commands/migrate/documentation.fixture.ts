/** Examples of cert-manager's documentation (usage/certificate, configuration/ca, selfsigned, acme and vault), typed by hand. */

/** usage/certificate: "Creating Certificate Resources", every field shown there. */
export const exampleCertificate = `apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: example-com
  namespace: sandbox
spec:
  secretName: example-com-tls
  privateKey:
    algorithm: RSA
    encoding: PKCS1
    size: 2048
    rotationPolicy: Always
  secretTemplate:
    annotations:
      my-secret-annotation-1: "foo"
      my-secret-annotation-2: "bar"
    labels:
      my-secret-label: foo
  keystores:
    pkcs12:
      create: true
      passwordSecretRef:
        name: example-com-tls-keystore
        key: password
      profile: Modern2023
  duration: 2160h # 90d
  renewBefore: 360h # 15d
  isCA: false
  usages:
    - server auth
    - client auth
  subject:
    organizations:
      - cert-manager
  commonName: example.com
  dnsNames:
    - example.com
    - www.example.com
  uris:
    - spiffe://cluster.local/ns/sandbox/sa/example
  emailAddresses:
    - john.doe@cert-manager.io
  ipAddresses:
    - 192.168.0.5
  issuerRef:
    name: ca-issuer
    kind: Issuer
    group: cert-manager.io
`

/** configuration/ca: "Deployment", with a revocation list of its own. */
export const caIssuer = `apiVersion: cert-manager.io/v1
kind: Issuer
metadata:
  name: ca-issuer
  namespace: sandbox
spec:
  ca:
    secretName: ca-key-pair
    crlDistributionPoints:
      - "http://example.com"
`

/** configuration/selfsigned: "Bootstrapping CA Issuers". */
export const bootstrap = `apiVersion: v1
kind: Namespace
metadata:
  name: sandbox
---
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata:
  name: selfsigned-issuer
spec:
  selfSigned: {}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: my-selfsigned-ca
  namespace: sandbox
spec:
  isCA: true
  commonName: my-selfsigned-ca
  secretName: root-secret
  privateKey:
    algorithm: ECDSA
    size: 256
  issuerRef:
    name: selfsigned-issuer
    kind: ClusterIssuer
    group: cert-manager.io
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata:
  name: my-ca-issuer
  namespace: sandbox
spec:
  ca:
    secretName: root-secret
`

/** configuration/acme: a ClusterIssuer of Let's Encrypt, and a Certificate of it. */
export const acme = `apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata:
  name: letsencrypt-staging
spec:
  acme:
    email: user@example.com
    server: https://acme-staging-v02.api.letsencrypt.org/directory
    privateKeySecretRef:
      name: example-issuer-account-key
    solvers:
    - http01:
        ingress:
          ingressClassName: nginx
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: acme-crt
spec:
  secretName: acme-crt-secret
  dnsNames:
  - example.com
  issuerRef:
    name: letsencrypt-staging
    kind: ClusterIssuer
    group: cert-manager.io
`

/** configuration/vault: "Authenticating via an AppRole". */
export const vault = `apiVersion: cert-manager.io/v1
kind: Issuer
metadata:
  name: vault-issuer
  namespace: sandbox
spec:
  vault:
    path: pki_int/sign/example-dot-com
    server: https://vault.local
    caBundle: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t
    auth:
      appRole:
        path: approle
        roleId: "291b9d21-8ff5-bec9-2bc8-2a8c8f0f0f0f"
        secretRef:
          name: cert-manager-vault-approle
          key: secretId
`

/** usage/certificate: "Additional Certificate Output Formats", literal subject, other names and name constraints. */
export const rarer = `apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: combined
  namespace: sandbox
spec:
  secretName: combined-tls
  literalSubject: "C=US,O=Snake Oil,OU=Root,CN=snakes"
  dnsNames: [snakes.sandbox.svc]
  privateKey:
    algorithm: ECDSA
    size: 256
  additionalOutputFormats:
    - type: CombinedPEM
    - type: DER
  otherNames:
    - oid: 1.3.6.1.4.1.311.20.2.3
      utf8Value: upn@example.local
  issuerRef:
    name: ca-issuer
`
