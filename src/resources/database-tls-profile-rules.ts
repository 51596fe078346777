/**
 * What engine and layout of a profile refuse by themselves, each rule from the rows of engines.ts and layout-names.ts. What depends on
 * the version, on a port or on the CA is found by the operator, which asks for these again: of objects that were stored before.
 */
import { demands, type Demand, type EngineName, enginesThat, limits, protocols } from './engines.ts'
import { isPreset, presetsOf, rsaLayouts, traditionalLayouts } from './layout-names.ts'
import { rule, type Rule } from './rule.ts'
import { celList } from './secret-items.ts'

interface SpecValue {
  engine: string
  clientAuthorityRef?: unknown
  components?: readonly { name: string }[]
  server?: { privateKey: { algorithm: string; encoding: string } }
  clients?: readonly { require?: string }[]
  connection?: { host?: string; protocol?: string }
  layout?: { preset: string }
  reload?: { strategy: string; credentialsSecretRef?: unknown; client?: unknown }
}

const listed = (names: readonly string[], word = 'and'): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} ${word} ${names.at(-1)}`

const isOneOf = (names: readonly string[], name: string | undefined): boolean =>
  name !== undefined && names.includes(name)

/** The engine whose protocol is spoken, as far as the spec says it: of an External server the port may tell as well. */
const spoken = '(has(self.connection) && has(self.connection.protocol) ? self.connection.protocol : self.engine)'
const spokenIn = ({ engine, connection }: SpecValue): string => connection?.protocol ?? engine

const externalRules: readonly Rule[] = [
  rule<SpecValue>({
    rule: "self.engine != 'External' || !has(self.server)",
    message: 'an External server brings its own certificate: leave out server',
    fieldPath: '.server',
    reason: 'FieldValueForbidden',
    holds: (self) => self.engine !== 'External' || self.server === undefined,
  }),
  rule<SpecValue>({
    rule: "self.engine == 'External' || !has(self.connection) || !has(self.connection.protocol)",
    message: 'protocol says what an External server speaks: leave it out',
    fieldPath: '.connection.protocol',
    reason: 'FieldValueForbidden',
    holds: (self) => self.engine === 'External' || self.connection?.protocol === undefined,
  }),
  rule<SpecValue>({
    rule: "self.engine != 'External' || (has(self.connection) && has(self.connection.host))",
    message: 'an External server is known by its host alone: write the name that its certificate is for',
    fieldPath: '.connection.host',
    reason: 'FieldValueRequired',
    holds: (self) => self.engine !== 'External' || self.connection?.host !== undefined,
  }),
  rule<SpecValue>({
    rule: "self.engine != 'External' || !has(self.reload) || self.reload.strategy == 'None'",
    message: 'an External server brings its own certificate, so there is nothing to reload: leave reload out',
    fieldPath: '.reload.strategy',
    reason: 'FieldValueForbidden',
    holds: ({ engine, reload }) => engine !== 'External' || reload === undefined || reload.strategy === 'None',
  }),
  rule<SpecValue>({
    rule: "self.engine != 'External' || has(self.clientAuthorityRef) || !has(self.clients) || self.clients.all(c, !has(c.require) || !(c.require in ['Subject', 'Issuer']))",
    message:
      'without clientAuthorityRef an External server is shown no certificate of a client, so require cannot be Subject or Issuer: set TLS, or name in clientAuthorityRef a CA that the server trusts',
    fieldPath: '.clients',
    holds: ({ engine, clientAuthorityRef, clients = [] }) =>
      engine !== 'External' ||
      clientAuthorityRef !== undefined ||
      clients.every((one) => !isOneOf(['Subject', 'Issuer'], one.require)),
  }),
]

const rsaPresets = rsaLayouts.filter(isPreset)
const traditionalPresets = traditionalLayouts.filter(isPreset)
const pkcs8Engines = enginesThat(({ pkcs8Only }) => pkcs8Only === true)

const keyRules: readonly Rule[] = [
  rule<SpecValue>({
    rule: `!(self.engine in ${celList(pkcs8Engines)}) || !has(self.server) || self.server.privateKey.encoding == 'PKCS8'`,
    message: `${listed(pkcs8Engines)} read private keys as PKCS #8 alone: set encoding: PKCS8, or leave it out`,
    fieldPath: '.server.privateKey.encoding',
    holds: ({ engine, server }) =>
      !isOneOf(pkcs8Engines, engine) || server === undefined || server.privateKey.encoding === 'PKCS8',
  }),
  rule<SpecValue>({
    rule: `self.engine == 'External' || !has(self.layout) || !(self.layout.preset in ${celList(rsaPresets)}) || (has(self.server) && self.server.privateKey.algorithm == 'RSA')`,
    message: `layout ${listed(rsaPresets)} has private keys as PKCS #1, which is a form of RSA keys: set server.privateKey.algorithm: RSA`,
    fieldPath: '.server.privateKey.algorithm',
    holds: ({ engine, layout, server }) =>
      engine === 'External' || !isOneOf(rsaPresets, layout?.preset) || server?.privateKey.algorithm === 'RSA',
  }),
  rule<SpecValue>({
    rule: `self.engine != 'External' || !has(self.layout) || !(self.layout.preset in ${celList(rsaPresets)})`,
    message: `layout ${listed(rsaPresets)} needs RSA keys, and a profile says that of servers alone, which External ones bring: write a DatabaseCertificate of this layout for each client`,
    fieldPath: '.layout.preset',
    reason: 'FieldValueForbidden',
    holds: ({ engine, layout }) => engine !== 'External' || !isOneOf(rsaPresets, layout?.preset),
  }),
  rule<SpecValue>({
    rule: `!has(self.layout) || !(self.layout.preset in ${celList(traditionalPresets)}) || !has(self.server) || self.server.privateKey.algorithm != 'Ed25519'`,
    message: `the reader of layout ${listed(traditionalPresets)} knows no form of Ed25519 keys: set server.privateKey.algorithm: ECDSA or RSA`,
    fieldPath: '.server.privateKey.algorithm',
    holds: ({ layout, server }) =>
      !isOneOf(traditionalPresets, layout?.preset) || server?.privateKey.algorithm !== 'Ed25519',
  }),
]

const oneFile = enginesThat(({ oneTrustFile }) => oneTrustFile === true)

const trustRules: readonly Rule[] = [
  rule<SpecValue>({
    rule: `!has(self.clientAuthorityRef) || !(self.engine in ${celList(oneFile)})`,
    message: `${listed(oneFile)} read the CAs of clients and of their other servers from one file: leave clientAuthorityRef out, so that one CA signs both`,
    fieldPath: '.clientAuthorityRef',
    reason: 'FieldValueForbidden',
    holds: ({ engine, clientAuthorityRef }) => clientAuthorityRef === undefined || !isOneOf(oneFile, engine),
  }),
  ...protocols.flatMap((name) => {
    const { oneTrustFile } = limits[name]
    if (typeof oneTrustFile !== 'object') return []
    const { component } = oneTrustFile
    return rule<SpecValue>({
      rule: `!has(self.clientAuthorityRef) || self.engine != '${name}' || !has(self.components) || !self.components.exists(c, c.name == '${component}')`,
      message: `with component ${component} ${name} reads the CAs of clients and of its other servers from one file: leave clientAuthorityRef out, so that one CA signs both`,
      fieldPath: '.clientAuthorityRef',
      reason: 'FieldValueForbidden',
      holds: ({ engine, clientAuthorityRef, components = [] }) =>
        clientAuthorityRef === undefined || engine !== name || !components.some((one) => one.name === component),
    })
  }),
]

/** Engines by what an account of theirs may demand; those that take everything are in none. */
const byDemand = (): ReadonlyMap<string, { readonly accepted: readonly Demand[]; readonly names: EngineName[] }> => {
  const found = new Map<string, { readonly accepted: readonly Demand[]; readonly names: EngineName[] }>()
  for (const name of protocols) {
    const accepted = limits[name].require
    if (accepted === undefined) continue
    const same = found.get(accepted.join(' ')) ?? { accepted, names: [] }
    same.names.push(name)
    found.set(accepted.join(' '), same)
  }
  return found
}

const demandRules = [...byDemand().values()].map(({ accepted, names }) =>
  rule<SpecValue>({
    rule: `!(${spoken} in ${celList(names)}) || !has(self.clients) || self.clients.all(c, !has(c.require) || c.require in ${celList(accepted)})`,
    message: `no account of ${listed(names, 'or')} can have require: ${listed(
      demands.filter((demand) => !accepted.includes(demand)),
      'or',
    )}; set ${listed(accepted, 'or')}`,
    fieldPath: '.clients',
    holds: (self) =>
      !isOneOf(names, spokenIn(self)) ||
      (self.clients ?? []).every(({ require }) => require === undefined || isOneOf(accepted, require)),
  }),
)

const stated = enginesThat(({ hasStatement }) => hasStatement === true)

const reloadRules: readonly Rule[] = [
  rule<SpecValue>({
    rule: "!has(self.reload) || self.reload.strategy != 'SQL' || has(self.reload.credentialsSecretRef) || has(self.reload.client)",
    message: 'strategy SQL needs credentialsSecretRef or client, the account that reloads',
    fieldPath: '.reload.credentialsSecretRef',
    reason: 'FieldValueRequired',
    holds: ({ reload }) =>
      reload?.strategy !== 'SQL' || reload.credentialsSecretRef !== undefined || reload.client !== undefined,
  }),
  rule<SpecValue>({
    rule: `!has(self.reload) || self.reload.strategy != 'SQL' || self.engine in ${celList([...stated, 'External'])}`,
    message: `strategy SQL is for ${listed(stated)}, the engines with a statement that reloads certificates: set Rollout, or None where the servers read renewed files by themselves (docs/engines.md)`,
    fieldPath: '.reload.strategy',
    holds: ({ engine, reload }) => reload?.strategy !== 'SQL' || isOneOf([...stated, 'External'], engine),
  }),
]

const layoutRules = protocols.map((name) => {
  const fitting = presetsOf(name)
  return rule<SpecValue>({
    rule: `!has(self.layout) || ${spoken} != '${name}' || self.layout.preset in ${celList(fitting)}`,
    message:
      fitting.length === 1
        ? `the layout of ${name} is ${listed(fitting)}: write that, or leave layout out`
        : `layouts of ${name} are ${listed(fitting)}: write one of these, or leave layout out`,
    fieldPath: '.layout.preset',
    holds: (self) => spokenIn(self) !== name || self.layout === undefined || isOneOf(fitting, self.layout.preset),
  })
})

export const profileRules: readonly Rule[] = [
  ...externalRules,
  ...keyRules,
  ...trustRules,
  ...demandRules,
  ...reloadRules,
  ...layoutRules,
]
