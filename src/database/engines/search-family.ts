/** What Elasticsearch and OpenSearch share: HTTP for clients, a transport of its own between nodes. */
import type { EngineName } from '../../resources/engines.ts'
import { byCertificate, refusesDemands } from './demands.ts'
import type { Client, Context, Definition } from './engine.ts'
import { shellCommand } from './quote/shell.ts'
import { uriHost } from './quote/uri.ts'
import { commandsPage, fenced, hasCertificate, mountWords } from './text.ts'

export const transport = 'transport'

const curl = (context: Context, client: Client): string =>
  shellCommand(
    'curl',
    '--cacert',
    client.trust.pem,
    // Beside a password it would be the certificate that counts: opensearch-project/security#4378.
    ...(hasCertificate(client) && byCertificate(client)
      ? ['--cert', client.files.certificate, '--key', client.files.key]
      : []),
    ...(client.require === 'TLS' && client.username !== undefined ? ['--user', client.username] : []),
    `https://${uriHost(context.host)}:${context.port}`,
  )

export const commands = (context: Context, notes: readonly string[]): string =>
  commandsPage(
    context,
    (client) => [`${mountWords(client)}.`, '', fenced('sh', curl(context, client)), ''],
    context.managed ? [] : notes,
  )

export const refusesRequire = (engine: EngineName): NonNullable<Definition['refusesRequire']> =>
  refusesDemands(
    engine,
    `${engine} takes TLS connections alone here, and knows a certificate by its subject`,
    'set require: X509, or TLS for a password',
  )
