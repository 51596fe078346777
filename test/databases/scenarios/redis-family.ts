import type { Product } from '../harness/install.ts'
import { password, type Scenario, type Stage, strangersAuthority, strangersCertificate } from './scenario.ts'

const clients = [
  { name: 'app', require: 'X509', java: true },
  { name: 'report', username: 'reporting', require: 'X509' },
]

/** What the profile leaves to the administrator: passwords, and a right that the conversation below needs. */
const prepare = async ({ database, world }: Stage): Promise<void> => {
  const users = ['app', 'reporting'].map((user) => `ACL SETUSER ${user} ">${password}" +config|get`)
  await database.statement(`${world.client('app').files['accounts.txt']}${users.join('\n')}`)
}

const plain = (line: string): string => line.replace(/ --tls .* --user/, ' --user')
const withoutCertificate = (line: string): string => line.replaceAll(/ --(cert|key) \S+/g, '')

/** The command checks no name, as commands.md says; this asks as a library does. */
const checkingName = (line: string): string => {
  const [, port = ''] = / -p (\d+) /.exec(line) ?? []
  const [, files = ''] = / --cacert (\S+ --cert \S+ --key \S+)/.exec(line) ?? []
  const options = files.replace(' --cert', ' -cert').replace(' --key', ' -key')
  return `openssl s_client -connect orders.data.svc:${port} -verify_return_error -verify_hostname other.test -CAfile ${options}`
}

/** The command goes on asking when its connection was ended; why is in the server's log alone. */
const cutOff = /I\/O error\nError: (Connection reset by peer|Server closed the connection)/

const scenario = (product: Product, engine: 'Redis' | 'Valkey', version: string): Scenario => {
  const program = `${engine.toLowerCase()}-cli`
  return {
    product,
    spec: { engine, version, clients },
    shell: (installation) => Promise.resolve({ programs: { [program]: installation.start(`/usr/bin/${program}`) } }),
    prepare,
    line: new RegExp(`^${program} `),
    talk: {
      ...{ asks: /assword: $/, password, prompt: /(:\d+|not connected)> $/ },
      says: ['ACL WHOAMI', 'CONFIG GET tls-auth-clients', 'exit'],
    },
    welcome: { app: /"app"[^]*"tls-auth-clients"\n2\) "yes"/, report: /"reporting"[^]*"tls-auth-clients"\n2\) "yes"/ },
    refused: [
      { name: 'a plain connection', client: 'app', change: plain, says: cutOff, log: /wrong version number/ },
      { name: 'a server of another name', client: 'app', change: checkingName, says: /hostname mismatch/ },
      {
        ...{ name: 'a server of an unknown CA', client: 'app', change: strangersAuthority },
        says: /SSL_connect failed: certificate verify failed/,
      },
      {
        ...{ name: 'a certificate of an unknown CA', client: 'app', change: strangersCertificate },
        ...{ says: cutOff, log: /certificate verify failed/ },
      },
      {
        ...{ name: 'no certificate', client: 'app', change: withoutCertificate },
        ...{ says: cutOff, log: /peer did not return a certificate/ },
      },
    ],
    mismatch: { reload: /Unable to update TLS configuration/, serves: true },
  }
}

export const redisFamily: readonly Scenario[] = [
  scenario('Redis 8', 'Redis', '8'),
  scenario('Valkey 8', 'Valkey', '8'),
  scenario('Valkey 9', 'Valkey', '9.1'),
]
