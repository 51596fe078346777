/** Fields and rules of a CertificateAuthority. */
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { maintenanceWindows } from './maintenance-windows.ts'
import { policy } from './certificate-authority-policy.ts'
import {
  authorityRef,
  configMapKeyRef,
  dataKey,
  durationText,
  exactlyOne,
  httpURL,
  matching,
  listedNamespaceSelection,
  namespaceSelection,
  objectName,
  renewsWithinDuration,
  secretKeyRef,
  text,
} from './fields.ts'
import { keyAlgorithm, keySize, keySizeRule } from './keys.ts'
import { ipRange, subject } from './names.ts'
import { rule } from './rule.ts'
import { trustItem } from './secret-items.ts'

const source = z
  .object({
    selfSigned: z.object({}).optional().meta({ description: 'A root: key and certificate are made here.' }),
    intermediate: z
      .object({ authorityRef })
      .optional()
      .meta({ description: 'The key is made here; another CertificateAuthority signs the certificate.' }),
    secret: z
      .object({
        name: objectName('Name of the Secret, in the same namespace.'),
        certificateKey: dataKey('Key of the certificate, PEM.').default('tls.crt'),
        privateKeyKey: dataKey('Key of the private key, PEM.').default('tls.key'),
        chainKey: dataKey('Key of the certificates above it, PEM; may be missing.').default('ca.crt'),
        passphraseSecretRef: secretKeyRef('Opens the private key, where it is encrypted.', 'passphrase').optional(),
      })
      .optional()
      .meta({ description: 'A CA brought along in a Secret.' }),
    trustOnly: z
      .object({
        configMapRef: configMapKeyRef('PEM certificates in a ConfigMap.', 'ca.crt').optional(),
        secretRef: secretKeyRef('PEM certificates in a Secret.', 'ca.crt').optional(),
        inline: text(524288, 'PEM certificates.').optional(),
      })
      .optional()
      .meta({
        description: 'Only a trust anchor, as of a managed database: nothing is signed.',
        rules: [exactlyOne('configMapRef', 'secretRef', 'inline')],
      }),
  })
  .meta({
    description: 'Where certificate and key come from. Exactly one member.',
    rules: [exactlyOne('selfSigned', 'intermediate', 'secret', 'trustOnly')],
  })

const privateKey = z
  .object({
    algorithm: keyAlgorithm,
    size: keySize,
    passphraseSecretRef: secretKeyRef(
      'The private key is kept encrypted under this passphrase.',
      'passphrase',
    ).optional(),
  })
  .meta({ description: 'The key of the CA.', rules: [keySizeRule] })

const subtree = z.string().min(1).max(253)

// Verifiers disagree on what a leading dot means in a DNS constraint; RFC 5280 §4.2.1.10 gives it no meaning there.
const domain = subtree.meta({
  rules: [
    matching(
      '^[^.*]',
      "must not begin with '.' or '*': write example.internal, which stands for the domain and everything below it",
    ),
  ],
})

const subtrees = (description: string) =>
  z
    .object({
      dnsDomains: z
        .array(domain)
        .max(64)
        .optional()
        .meta({ description: 'Domains with everything below them: `example.internal`.' }),
      ipRanges: z.array(ipRange).max(64).optional().meta({ description: 'Address ranges: `10.0.0.0/8`.' }),
      emailAddresses: z
        .array(subtree)
        .max(64)
        .optional()
        .meta({ description: 'Addresses, hosts, or `.domain` for the hosts of a domain.' }),
      uriDomains: z.array(subtree).max(64).optional().meta({ description: 'Hosts of URIs, or `.domain`.' }),
    })
    .meta({ description })

const crl = z
  .object({
    enabled: z.boolean().default(true).meta({ description: 'Whether a revocation list is made.' }),
    duration: durationText('From thisUpdate to nextUpdate.', '10s').default('31d'),
    renewBefore: durationText('How long before nextUpdate the next list is made.').default('7d'),
    onDelete: z
      .enum(['Revoke', 'Keep'])
      .default('Keep')
      .meta({ description: 'What happens to the certificate of a DatabaseCertificate that is deleted.' }),
    onSupersede: z
      .enum(['Revoke', 'Keep'])
      .default('Keep')
      .meta({ description: 'What happens to a certificate that was replaced.' }),
  })
  .meta({ description: 'The revocation list.', rules: [renewsWithinDuration] })

const trustTarget = z.object({
  kind: z.enum(['ConfigMap', 'Secret']).meta({ description: 'What is written.' }),
  name: objectName('Name of the ConfigMap or Secret.'),
  namespaces: listedNamespaceSelection('Where it is written. Default: the namespace of this object.').optional(),
  items: z
    .array(trustItem)
    .min(1)
    .max(16)
    .meta({ description: 'Its keys.', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['key'] }),
})

const rotation = z
  .object({
    onTrigger: z.enum(['NewKey', 'ReuseKey']).default('NewKey').meta({ description: 'What a change of trigger does.' }),
    onExpiry: z.enum(['NewKey', 'ReuseKey']).default('ReuseKey').meta({
      description:
        'What happens before the CA ends. ReuseKey keeps key, name and key identifier, so nothing has to be signed again.',
    }),
    trigger: text(
      256,
      'Any change of this text to another one that is not empty starts a rotation; one that comes during a rotation begins after it. Emptying it asks for nothing, and the same text again after that is a change.',
    ).default(''),
    abort: text(
      256,
      'Any change of this text to another one that is not empty takes back the rotation under way, as long as both CAs are trusted. Where none is under way it is noted, and takes nothing back later. Emptying it asks for nothing.',
    ).default(''),
    reason: z.enum(['', 'Compromised']).default('').meta({
      description: 'Compromised: no soak where trust is proved, and old certificates are revoked as they are replaced.',
    }),
    dropOld: z
      .enum(['AfterSoak', 'Now'])
      .default('AfterSoak')
      .meta({ description: 'Now, with reason Compromised: the old CA is dropped from trust first.' }),
    holdAt: z
      .enum(['', 'TrustBoth', 'Signing', 'DropSoak'])
      .default('')
      .meta({ description: 'The rotation does not go past this phase.' }),
    trustSoak: durationText('How long both CAs are trusted before the new one signs.').default('24h'),
    dropSoak: durationText('How long the old CA stays trusted after the last certificate was replaced.').default('24h'),
    maxParallel: z
      .int()
      .min(1)
      .max(1000)
      .default(10)
      .meta({ description: 'Certificates that are replaced at the same time.' }),
    nextName: z.enum(['Same', 'Versioned']).default('Same').meta({
      description:
        "Name of a CA with a new key. Same keeps REQUIRE ISSUER and the like valid; Versioned appends ' v2', ' v3' … to the common name.",
    }),
    crossSign: z.boolean().default(false).meta({
      description: 'Deliver with new certificates one of the new CA that the former one has signed.',
    }),
    windows: maintenanceWindows(
      'Phases of a rotation are entered, and certificates replaced in it, only within one of these. None: at any time.',
    ).optional(),
  })
  .meta({ description: 'How the CA itself is replaced.' })

interface SpecValue {
  source: Record<string, unknown>
  subject?: { commonName?: string; literal?: string }
  privateKey: { algorithm: string; size?: number }
}

const sourceTypes = ['selfSigned', 'intermediate', 'secret', 'trustOnly'] as const

const defaultSize: Readonly<Record<string, number>> = { RSA: 2048, ECDSA: 256, Ed25519: 0 }
const effectiveSize = (key: { algorithm: string; size?: number }): number => key.size ?? defaultSize[key.algorithm] ?? 0
const celSize = (key: string): string =>
  `(has(${key}.size) ? ${key}.size : ${key}.algorithm == 'RSA' ? 2048 : ${key}.algorithm == 'ECDSA' ? 256 : 0)`

export const newAuthority = 'a CA cannot become another one; create a new CertificateAuthority'

export const certificateAuthoritySpec = z
  .object({
    source,
    subject: subject.optional(),
    secretName: objectName(
      "Secret that holds certificate, key and chain. Default: the name of this object with '-ca'.",
    ).optional(),
    privateKey: privateKey.prefault({}),
    duration: durationText('Lifetime of the CA certificate.', '10s').default('3650d'),
    renewBefore: durationText('How long before its end it is renewed. Default: a third of the lifetime.').optional(),
    maxPathLength: z.int().min(0).max(16).optional().meta({
      description: 'How many CAs may stand below this one. Default: 0 for an intermediate, no limit for a root.',
    }),
    nameConstraints: z
      .object({
        permitted: subtrees('Names a certificate below this CA may carry.').optional(),
        excluded: subtrees('Names it may not carry.').optional(),
      })
      .optional()
      .meta({ description: 'Name constraints (RFC 5280 §4.2.1.10), written into the certificate as critical.' }),
    policy: policy.optional(),
    allowedNamespaces: namespaceSelection('Namespaces whose objects may name this CA.').prefault({}),
    crl: crl.optional(),
    publish: z
      .object({ url: httpURL('Base address, written into certificates as CRL distribution point and caIssuers.') })
      .optional()
      .meta({ description: 'Where certificate and revocation list are served.' }),
    trustBundle: z
      .object({ targets: z.array(trustTarget).max(32).meta({ description: 'ConfigMaps and Secrets to write.' }) })
      .optional()
      .meta({ description: 'Where the trust bundle is written besides the Secrets of certificates.' }),
    rotation: rotation.optional(),
    ledger: z
      .object({
        keepExpiredFor: durationText('How long entries are kept after the certificate has ended.').default('90d'),
      })
      .prefault({})
      .meta({ description: 'The record of issued certificates.' }),
    allowKeyExport: z.boolean().default(false).meta({
      description:
        "Lets a DatabaseCertificate of this namespace put this CA's private key into its Secret (content AuthorityPrivateKey): whoever reads that can sign anything under this CA. false takes it out again.",
    }),
  })
  .meta({
    description: 'What the CA is and what it may sign.',
    rules: [
      renewsWithinDuration,
      rule<SpecValue>({
        rule: "has(self.source.secret) || has(self.source.trustOnly) || (has(self.subject) && ((has(self.subject.commonName) && self.subject.commonName != '') || (has(self.subject.literal) && self.subject.literal != '')))",
        message: 'a CA needs a name: set subject.commonName or subject.literal',
        fieldPath: '.subject',
        reason: 'FieldValueRequired',
        holds: (self) =>
          self.source['secret'] !== undefined ||
          self.source['trustOnly'] !== undefined ||
          (self.subject?.commonName ?? '') !== '' ||
          (self.subject?.literal ?? '') !== '',
      }),
      rule<SpecValue>({
        rule: sourceTypes.map((type) => `has(self.source.${type}) == has(oldSelf.source.${type})`).join(' && '),
        message: newAuthority,
        fieldPath: '.source',
        reason: 'FieldValueForbidden',
        holds: (self, old) =>
          sourceTypes.every((type) => (self.source[type] === undefined) === (old.source[type] === undefined)),
      }),
      rule<SpecValue>({
        rule: 'has(self.subject) == has(oldSelf.subject) && (!has(self.subject) || self.subject == oldSelf.subject)',
        message: `the name is in every certificate this CA has signed; ${newAuthority}`,
        fieldPath: '.subject',
        reason: 'FieldValueForbidden',
        holds: (self, old) => isDeepStrictEqual(self.subject, old.subject),
      }),
      rule<SpecValue>({
        rule: `self.privateKey.algorithm == oldSelf.privateKey.algorithm && ${celSize('self.privateKey')} == ${celSize('oldSelf.privateKey')}`,
        message: `the key cannot change its algorithm or size; ${newAuthority}`,
        fieldPath: '.privateKey',
        reason: 'FieldValueForbidden',
        holds: (self, old) =>
          self.privateKey.algorithm === old.privateKey.algorithm &&
          effectiveSize(self.privateKey) === effectiveSize(old.privateKey),
      }),
    ],
  })
export type CertificateAuthoritySpec = z.output<typeof certificateAuthoritySpec>
