/** Lines of programs for the drivers of Elasticsearch and OpenSearch, which read no file of settings. */
import { byCertificate } from './demands.ts'
import type { Client, Context } from './engine.ts'
import { fileOf, storesPassword, storesVariable, trustPassword } from './java-stores.ts'
import { uriHost } from './quote/uri.ts'
import { quotedString } from './quote/yaml.ts'
import { fenced, hasCertificate } from './text.ts'

/** Beside a password it would be the certificate that counts: opensearch-project/security#4378. */
export const showsCertificate = (client: Client): boolean => hasCertificate(client) && byCertificate(client)

/** As whom it logs in with a password; undefined where its certificate says it. */
export const loginOf = ({ require, username }: Client): string | undefined => (require === 'TLS' ? username : undefined)

export const urlOf = ({ host, port }: Pick<Context, 'host' | 'port'>): string => `https://${uriHost(host)}:${port}`

interface Drivers {
  /** Name of the environment variable with the user's password. */
  readonly password: string
  readonly node: (context: Context, client: Client) => readonly string[]
  readonly python: (context: Context, client: Client) => readonly string[]
  readonly java: (context: Context, client: Client) => readonly string[]
}

/** Undefined where no line asks for one. */
const variables = (drivers: Drivers, client: Client): string | undefined => {
  const said = [
    (client.java ? storesVariable(client, showsCertificate(client)) : undefined) ?? [],
    loginOf(client) === undefined ? [] : `${drivers.password} holds the user's`,
  ].flat()
  return said.length === 0 ? undefined : `Passwords are environment variables: ${said.join('; ')}.`
}

export const driverLines = (drivers: Drivers, context: Context, client: Client): string[] => {
  const said = variables(drivers, client)
  return [
    ...(said === undefined ? [] : [said, '']),
    fenced('js', ...drivers.node(context, client)),
    '',
    fenced('python', ...drivers.python(context, client)),
    '',
    ...(client.java ? [fenced('java', ...drivers.java(context, client)), ''] : []),
  ]
}

interface NodeWords {
  readonly context: Context
  readonly client: Client
  readonly package: string
  readonly note: string
  /** The option under which it takes what node:tls does. */
  readonly tls: 'tls' | 'ssl'
  readonly password: string
}

/** Both drivers were one, and differ in a word. */
export const nodeLines = ({ context, client, package: from, note, tls, password }: NodeWords): string[] => {
  const username = loginOf(client)
  const read = (option: string, path: string): string => `    ${option}: readFileSync(${quotedString(path)}),`
  return [
    `// ${note}`,
    'import { readFileSync } from "node:fs"',
    ...(username === undefined ? [] : ['import { env } from "node:process"']),
    `import { Client } from "${from}"`,
    '',
    'const client = new Client({',
    `  node: ${quotedString(urlOf(context))},`,
    ...(username === undefined ? [] : [`  auth: { username: ${quotedString(username)}, password: env.${password} },`]),
    `  ${tls}: {`,
    read('ca', client.trust.pem),
    ...(showsCertificate(client) ? [read('cert', client.files.certificate), read('key', client.files.key)] : []),
    '  },',
    '})',
  ]
}

/** Arguments of the constructor in Python, one a line; `login` is what takes a name and a password. */
export const pythonArguments = (client: Client, login: string, password: string): string[] => {
  const username = loginOf(client)
  return [
    `    ca_certs=${quotedString(client.trust.pem)},`,
    ...(showsCertificate(client)
      ? [
          `    client_cert=${quotedString(client.files.certificate)},`,
          `    client_key=${quotedString(client.files.key)},`,
        ]
      : []),
    ...(username === undefined ? [] : [`    ${login}=(${quotedString(username)}, os.environ["${password}"]),`]),
  ]
}

/** A `tls` of Java, by the builder that httpcore 4 and 5 have alike; a JVM reads PKCS #12 and JKS as either's default. */
export const javaContext = (client: Client): string[] => [
  'var tls = SSLContextBuilder.create()',
  `    .loadTrustMaterial(${fileOf(client.trust.store)}, ${trustPassword(client)}.toCharArray())`,
  ...(showsCertificate(client)
    ? [
        `    .loadKeyMaterial(${fileOf(client.files.keystore)}, ${storesPassword}.toCharArray(),`,
        `        ${storesPassword}.toCharArray())`,
      ]
    : []),
  '    .build();',
]

export const javaPassword = (variable: string): string => `System.getenv("${variable}")`

/**
 * The same, a `host` and, where a password is asked for, `users`, for drivers that rest on Apache's httpclient5. It checks a name that
 * it is told to check, and of itself before 5.6.4 none at all, or only in some versions (CVE-2026-71290; seen with 5.4.4 and 5.6).
 */
export const httpclient5 = (context: Context, client: Client, password: string): string[] => {
  const username = loginOf(client)
  return [
    ...javaContext(client),
    '// Without a verifier httpclient5 before 5.6.4 may take a server of any name: CVE-2026-71290',
    'var verified = ClientTlsStrategyBuilder.create().setSslContext(tls)',
    '    .setHostnameVerifier(new DefaultHostnameVerifier()).build();',
    `var host = new HttpHost("https", ${quotedString(context.host)}, ${context.port});`,
    ...(username === undefined
      ? []
      : [
          'var users = new BasicCredentialsProvider();',
          'users.setCredentials(new AuthScope(host),',
          `    new UsernamePasswordCredentials(${quotedString(username)}, ${javaPassword(password)}.toCharArray()));`,
        ]),
  ]
}
