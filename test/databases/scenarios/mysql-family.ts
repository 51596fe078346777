import { join } from 'node:path'
import { install, type Installation, type Product } from '../harness/install.ts'
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
  { name: 'audit', username: "o'audit", require: 'Issuer' },
  { name: 'old', require: 'None' },
]
const users = ['app', 'reporting', 'ops', "o''audit", 'old']

const prepare = async ({ database, world }: Stage): Promise<void> => {
  const create = (user: string): string =>
    `CREATE USER '${user}'@'%' IDENTIFIED BY '${password}'; GRANT ALL ON orders.* TO '${user}'@'%';`
  await database.statement(`CREATE DATABASE orders; ${users.map(create).join(' ')}`)
  await database.statement(world.server.files['accounts.sql'] ?? '')
}

/** Each of the two has plugins for the accounts of the other's servers, at a path that is not that of an installation here. */
const shell = async (own: Installation): Promise<Awaited<ReturnType<Scenario['shell']>>> => {
  const mysql = await install('MySQL 9')
  const mariadb = await install('MariaDB 11.8')
  const start = (installation: Installation | undefined, program: string): readonly string[] =>
    (installation ?? own).start(program)
  return {
    programs: { mysql: start(mysql, '/usr/bin/mysql'), mariadb: start(mariadb, '/usr/bin/mariadb') },
    env: {
      LIBMYSQL_PLUGIN_DIR: join((mysql ?? own).root, 'usr/lib/mysql/plugin'),
      MARIADB_PLUGIN_DIR: join((mariadb ?? own).root, 'usr/lib/x86_64-linux-gnu/libmariadb3/plugin'),
    },
  }
}

const prompt = /(mysql|(MySQL|MariaDB) \[\S+\])> $/

/** mysqlCommand and mariadbCommand say it in their own ways. */
const plain = (line: string): string =>
  line
    .replaceAll(/ --ssl-(ca|cert|key)=\S+/g, '')
    .replace('--ssl-mode=VERIFY_IDENTITY', '--ssl-mode=DISABLED')
    .replace('--ssl-verify-server-cert', '--skip-ssl')
const withoutCertificate = (line: string): string => line.replaceAll(/ --ssl-(cert|key)=\S+/g, '')

const insecure = /ERROR 3159 \(08004\): Connections using insecure transport are prohibited/
const denied = /ERROR 1045 \(28000\): Access denied for user/
/** mysql has the same words for both; those of mariadb come first. */
const wrongName =
  /ERROR 2026 \(HY000\): (TLS\/SSL error: (Hostname verification failed|Validation of SSL server certificate failed)|SSL connection error: .*certificate verify failed)/
const unknownAuthority =
  /ERROR 2026 \(HY000\): (TLS\/SSL error: (self-signed certificate in certificate chain|Validation of SSL server certificate failed)|SSL connection error: .*certificate verify failed)/
/** The alert, where it is read before what is sent meets a closed connection; how far the client had come then differs. */
const turnedAway = /ERROR (2013 \(HY000\): Lost connection to|2026 \(HY000\): (TLS\/SSL|SSL connection) error: )/

/** Of a plain connection, to an account that demands nothing and to one that demands TLS. */
interface PlainRefusal {
  readonly whereNothing: RegExp
  readonly whereTLS: RegExp
}

const scenario = (product: Product, version: string, plainRefusal: PlainRefusal): Scenario => {
  const engine = product.startsWith('MySQL') ? 'MySQL' : 'MariaDB'
  return {
    product,
    spec: { engine, version, clients },
    // So that a subject has an order: /O=Acme/CN=app.
    policy: { subject: { commonName: 'Optional', organizations: 'Match' } },
    shell,
    prepare,
    line: /^(mysql|mariadb) /,
    talk: {
      ...{ asks: /assword: $/, password, prompt },
      says: ["SELECT CONCAT('I am ', CURRENT_USER()); SHOW SESSION STATUS LIKE 'Ssl_cipher';", 'exit'],
    },
    welcome: {
      app: /I am app@%[^]*Ssl_cipher +\| TLS_/,
      report: /I am reporting@%[^]*Ssl_cipher +\| TLS_/,
      ops: /I am ops@%[^]*Ssl_cipher +\| TLS_/,
      audit: /I am o'audit@%[^]*Ssl_cipher +\| TLS_/,
      old: /I am old@%[^]*Ssl_cipher +\| TLS_/,
    },
    own: {
      key: 'client.cnf',
      line: (path) => `${engine === 'MySQL' ? 'mysql' : 'mariadb'} --defaults-file=${path} --password`,
    },
    refused: [
      {
        name: 'a plain connection to an account that demands nothing',
        client: 'old',
        change: plain,
        says: plainRefusal.whereNothing,
      },
      {
        name: 'a plain connection to an account that demands TLS',
        client: 'ops',
        change: plain,
        says: plainRefusal.whereTLS,
      },
      { name: 'a server of another name', client: 'app', change: otherName, says: wrongName },
      { name: 'a server of an unknown CA', client: 'app', change: strangersAuthority, says: unknownAuthority },
      {
        ...{ name: 'a certificate of an unknown CA', client: 'app', change: strangersCertificate },
        says: turnedAway,
      },
      {
        ...{ name: 'the same even where none is demanded', client: 'ops', change: strangersCertificate },
        says: turnedAway,
      },
      { name: 'no certificate, by REQUIRE SUBJECT', client: 'app', change: withoutCertificate, says: denied },
      { name: 'no certificate, by REQUIRE X509', client: 'report', change: withoutCertificate, says: denied },
      { name: 'no certificate, by REQUIRE ISSUER', client: 'audit', change: withoutCertificate, says: denied },
      {
        name: "another's certificate, by REQUIRE SUBJECT",
        client: 'app',
        change: certificateOf('report'),
        says: denied,
      },
    ],
    mismatch: { reload: engine === 'MySQL' ? /ERROR 3888 / : /ERROR 1105 .*Failed to refresh SSL/, serves: true },
  }
}

export const mysqlFamily: readonly Scenario[] = [
  // 2061 is what mysql says by itself, before it would send a password.
  scenario('MySQL 9', '9', { whereNothing: /ERROR (3159|2061) /, whereTLS: /ERROR (1045|2061) / }),
  scenario('MariaDB 10.11', '10.11', { whereNothing: denied, whereTLS: denied }),
  scenario('MariaDB 11.8', '11.8', { whereNothing: insecure, whereTLS: insecure }),
]
