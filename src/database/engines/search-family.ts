/** What Elasticsearch and OpenSearch share: HTTP for clients, a transport of its own between nodes. */
import type { EngineName } from '../../resources/engines.ts'
import { refusesDemands } from './demands.ts'
import type { Client, Context, Definition } from './engine.ts'
import { shellCommand } from './quote/shell.ts'
import { loginOf, showsCertificate, urlOf } from './search-drivers.ts'
import { commandsPage, fenced, mountWords } from './text.ts'

export const transport = 'transport'

const curl = (context: Context, client: Client): string => {
  const username = loginOf(client)
  return shellCommand(
    'curl',
    '--cacert',
    client.trust.pem,
    ...(showsCertificate(client) ? ['--cert', client.files.certificate, '--key', client.files.key] : []),
    ...(username === undefined ? [] : ['--user', username]),
    urlOf(context),
  )
}

export const commands = (
  context: Context,
  drivers: (context: Context, client: Client) => readonly string[],
  notes: readonly string[],
): string =>
  commandsPage(
    context,
    (client) => [`${mountWords(client)}.`, '', fenced('sh', curl(context, client)), '', ...drivers(context, client)],
    context.managed ? [] : notes,
  )

export const refusesRequire = (engine: EngineName): NonNullable<Definition['refusesRequire']> =>
  refusesDemands(
    engine,
    `${engine} takes TLS connections alone here, and knows a certificate by its subject`,
    'set require: X509, or TLS for a password',
  )
