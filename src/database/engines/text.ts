/** Pieces that files of several engines are put together from. */
import type { Client, Context } from './engine.ts'

/** Lines with a line break at the end of each; undefined ones are left out. */
export const lines = (...some: readonly (string | undefined)[]): string =>
  some.filter((line) => line !== undefined).join('\n') + '\n'

/** What stands in front of a file: which Secret it expects where. */
export const mountNote = (
  context: Pick<Context, 'server' | 'components'>,
  components: readonly string[] = [],
): string[] => [
  `# Secret ${context.server.secretName} mounted at ${context.server.folder}`,
  ...components.flatMap((name) => {
    const mounted = context.components.get(name)
    return mounted === undefined ? [] : [`# Secret ${mounted.secretName} mounted at ${mounted.folder}`]
  }),
]

export const clientNote = (client: Client): string => `# ${mountWords(client)}`

/** A Secret for a client with a certificate, a ConfigMap of public trust for one without. */
export const mountWords = (client: Client): string =>
  client.subject === undefined
    ? `CA certificates of ${client.secretName} mounted at ${client.folder}`
    : `Secret ${client.secretName} mounted at ${client.folder}`

/**
 * A file that says something of one client: under `key` for the first one, and, where there are more, under
 * `<client>.<key>` for each.
 */
export const perClient = (
  { clients }: Pick<Context, 'clients'>,
  key: string,
  render: (client: Client) => string,
): Record<string, string> => {
  const [first] = clients
  const all = clients.length > 1 ? clients.map((client) => [`${client.name}.${key}`, render(client)]) : []
  return Object.fromEntries([...(first === undefined ? [] : [[key, render(first)]]), ...all])
}

/** The key under which perClient puts the file of one client. */
export const fileOfClient = ({ clients }: Pick<Context, 'clients'>, client: Client, key: string): string =>
  client === clients[0] ? key : `${client.name}.${key}`

/** `commands.md`: under its name what each client is told, and then what concerns all of them. */
export const commandsPage = (
  context: Pick<Context, 'profile' | 'clients'>,
  sectionOf: (client: Client) => readonly string[],
  notes: readonly string[],
): string =>
  lines(
    `# Connecting to ${context.profile}`,
    '',
    ...context.clients.flatMap((client) => [`## ${client.name}`, '', ...sectionOf(client)]),
    ...notes,
  )

/** A fenced block of Markdown. Commands hold no line that could close it: nothing of a user's begins a line. */
export const fenced = (language: string, ...body: readonly string[]): string =>
  ['```' + language, ...body, '```'].join('\n')

/** Whether the client shows a certificate: one that the server does not trust would cost it the connection. */
export const hasCertificate = (client: Client): boolean => client.subject !== undefined

/** Where the password of a client's keystores is found; it is generated once and kept. */
export const passwordNote = (client: Client): string =>
  `key ${client.files.passwordKey} of Secret ${client.secretName}, unless its own password was given`
