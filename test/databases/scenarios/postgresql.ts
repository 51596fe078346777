import { installPsql, type Product } from '../harness/install.ts'
import {
  certificateOf,
  otherName,
  password,
  type Scenario,
  type Stage,
  strangersAuthority,
  strangersCertificate,
} from './scenario.ts'

const clients = [
  { name: 'app', require: 'Subject', java: true },
  { name: 'report', username: 'reporting', require: 'X509' },
  { name: 'ops', require: 'TLS' },
  { name: 'audit', username: 'Audit "o\'neil"', require: 'Issuer' },
  { name: 'old', require: 'None' },
]
const roles = ['app', 'reporting', 'ops', 'Audit ""o\'neil""', 'old']

/** pg_hba.conf stands for the accounts' demands already. */
const prepare = async ({ database }: Stage): Promise<void> => {
  const create = (role: string): string => `CREATE ROLE "${role}" LOGIN PASSWORD '${password}';\n`
  await database.statement(`CREATE DATABASE orders;\n${roles.map(create).join('')}`)
}

const plain = (line: string): string => line.replace('sslmode=verify-full', 'sslmode=disable')
const withoutCertificate = (line: string): string => line.replaceAll(/&ssl(cert|key)=[^&']+/g, '')

/** The alert, where it is read before the connection is seen to be closed. */
const turnedAway = /SSL error: tlsv1 alert unknown ca|server closed the connection unexpectedly|SSL SYSCALL error/

const scenario = (product: Product, version: string): Scenario => ({
  product,
  spec: { engine: 'PostgreSQL', version, clients },
  async shell() {
    const own = await installPsql()
    return {
      programs: { psql: [...(own?.start('/usr/lib/postgresql/18/bin/psql') ?? ['/usr/bin/psql']), '--no-psqlrc'] },
    }
  },
  prepare,
  line: /^psql /,
  talk: {
    ...{ asks: /assword for user .*: $/, password, prompt: /orders=> $/ },
    says: ["SELECT 'I am ' || current_user, version FROM pg_stat_ssl WHERE pid = pg_backend_pid();", '\\q'],
  },
  welcome: {
    app: /I am app \| TLSv1\.3/,
    report: /I am reporting \| TLSv1\.3/,
    ops: /I am ops \| TLSv1\.3/,
    audit: /I am Audit "o'neil" \| TLSv1\.3/,
    old: /I am old \| TLSv1\.3/,
  },
  own: { key: 'client.conf', line: (path) => `PGSERVICEFILE=${path} psql service=app` },
  refused: [
    {
      ...{ name: 'a plain connection', client: 'ops', change: plain },
      says: /FATAL: +pg_hba\.conf rejects connection for host "127\.0\.0\.1", user "ops", database "orders", no encryption/,
    },
    {
      ...{ name: 'a server of another name', client: 'app', change: otherName },
      says: /server certificate for "[^"]*"( \(and \d+ other names\))? does not match host name "other\.test"/,
    },
    {
      ...{ name: 'a server of an unknown CA', client: 'app', change: strangersAuthority },
      says: /SSL error: certificate verify failed/,
    },
    {
      ...{ name: 'a certificate of an unknown CA', client: 'app', change: strangersCertificate },
      ...{ says: turnedAway, log: /could not accept SSL connection: certificate verify failed/ },
    },
    {
      ...{ name: 'the same even where none is demanded', client: 'ops', change: strangersCertificate },
      ...{ says: turnedAway, log: /could not accept SSL connection: certificate verify failed/ },
    },
    {
      ...{ name: 'no certificate, by cert', client: 'app', change: withoutCertificate },
      says: /FATAL: +connection requires a valid client certificate/,
    },
    {
      ...{ name: 'no certificate, by clientcert=verify-full', client: 'report', change: withoutCertificate },
      says: /FATAL: +connection requires a valid client certificate/,
    },
    {
      ...{ name: 'no certificate, by clientcert=verify-ca', client: 'audit', change: withoutCertificate },
      says: /FATAL: +connection requires a valid client certificate/,
    },
    {
      ...{ name: "another role's certificate, by cert", client: 'app', change: certificateOf('report') },
      says: /FATAL: +certificate authentication failed for user "app"/,
    },
    {
      ...{
        name: "another role's certificate, by clientcert=verify-full",
        client: 'report',
        change: certificateOf('app'),
      },
      says: /FATAL: +(certificate|password) authentication failed for user "reporting"/,
    },
  ],
  mismatch: { reload: 'Silent', log: /SSL configuration was not reloaded/, serves: true },
})

export const postgresqlScenarios: readonly Scenario[] = [
  scenario('PostgreSQL 15', '15'),
  scenario('PostgreSQL 18', '18'),
]
