/** What Elasticsearch and OpenSearch share: HTTP for clients, a transport of its own between nodes. */
import type { Client, Context, Definition, Require } from './engine.ts'
import { javaItems, pemItems } from './files.ts'
import { shellCommand } from './quote/shell.ts'
import { uriHost } from './quote/uri.ts'
import { fenced, hasCertificate, lines, mountWords } from './text.ts'

export const transport = 'transport'

/** What the usual patterns take out of a DN unescaped. */
export const usernameForm = /^[A-Za-z0-9._@-]+$/
export const usernameWords = 'letters, digits, ".", "_", "@" and "-"'

const curl = (context: Context, client: Client): string =>
  shellCommand(
    'curl',
    '--cacert',
    client.trust.pem,
    ...(hasCertificate(client) ? ['--cert', client.files.certificate, '--key', client.files.key] : []),
    ...(client.require === 'TLS' && client.username !== undefined ? ['--user', client.username] : []),
    `https://${uriHost(context.host)}:${context.port}`,
  )

export const commands = (context: Context, notes: readonly string[]): string =>
  lines(
    `# Connecting to ${context.profile}`,
    '',
    ...context.clients.flatMap((client) => [
      `## ${client.name}`,
      '',
      `${mountWords(client)}.`,
      '',
      fenced('sh', curl(context, client)),
      '',
    ]),
    ...(context.managed ? [] : notes),
  )

export const refusesRequire = (engine: string) => (require: Require) =>
  require === 'None' || require === 'Issuer'
    ? {
        problem: `${engine} takes TLS connections alone here, and knows a certificate by its subject`,
        cure: 'set require: X509, or TLS for a password',
      }
    : undefined

export const clientItems: Definition['clientItems'] = ({ java }) => [
  ...pemItems,
  ...(java ? javaItems('client', 'ca') : []),
]
