/** Drivers of Elasticsearch and OpenSearch: the lines that a profile gives, as they are or changed, run one after the other. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { env as environment } from 'node:process'
import { compileFunction } from 'node:vm'
import { Client as Elasticsearch } from '@elastic/elasticsearch'
import { Client as OpenSearch } from '@opensearch-project/opensearch'
import { run } from '../../controlplane/harness/process.ts'
import { type LinesDriver, runAttempts } from './java-lines.ts'
import { maven, pypi } from './packages.ts'

/** The driver of a language for a version of a server, as it is known in its registry. */
export interface Driver {
  /** Of the fenced blocks. */
  readonly language: 'js' | 'python' | 'java'
  readonly name: string
  /** Undefined where it cannot be had here. */
  readonly install: () => Promise<((options: Run) => Promise<readonly string[]>) | undefined>
}

export interface Run {
  /** Writable. */
  readonly folder: string
  /** As /etc/hosts. */
  readonly hosts: string
  readonly env: Readonly<Record<string, string>>
  readonly attempts: readonly string[]
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim()

const refusal = (error: unknown): string => {
  const causes: unknown[] = []
  for (let cause = error; cause instanceof Error && causes.length < 9; cause = cause.cause) causes.push(cause)
  return `refused ${oneLine(causes.map(String).join(' | '))}`
}

/** In this process, whose names and environment its caller has set. */
const inNode =
  <C extends { close: () => Promise<void> }>(constructor: unknown, who: (client: C) => Promise<string>) =>
  async ({ attempts }: Run): Promise<readonly string[]> => {
    const answers: string[] = []
    for (const lines of attempts) {
      const body = `${lines.replaceAll(/^import .*$/gm, '')}\nreturn client`
      const client = compileFunction(body, ['readFileSync', 'env', 'Client'])(
        readFileSync,
        environment,
        constructor,
      ) as C
      answers.push(await who(client).then((user) => `connected ${user}`, refusal))
      await client.close()
    }
    return answers
  }

const pythonProgram = (attempts: readonly string[], who: string): string => `
import os, socket
known = dict(reversed(line.split()) for line in open(os.environ["HOSTS"]))
original = socket.getaddrinfo
socket.getaddrinfo = lambda host, *more, **named: original(known.get(host, host), *more, **named)

def report(attempt):
    try:
        said = "connected " + attempt()
    except Exception as error:
        said = "refused " + str(error)
    print(" ".join(said.split()))

${attempts.map((lines, at) => `def attempt${at}():\n${`${lines}\nreturn ${who}`.replaceAll(/^/gm, '    ')}\n\nreport(attempt${at})`).join('\n\n')}
`

const inPython =
  (libraries: string, who: string) =>
  async ({ folder, hosts, env, attempts }: Run): Promise<readonly string[]> => {
    const source = join(folder, 'attempts.py')
    writeFileSync(source, pythonProgram(attempts, who))
    const { code, stdout, stderr } = await run('python3', [source], {
      env: { ...process.env, ...env, HOSTS: hosts, PYTHONPATH: libraries },
    })
    if (code !== 0) throw new Error(`python3 ended with ${code}: ${stdout}${stderr}`)
    return stdout.trim().split('\n')
  }

const inJava =
  (classPath: string, driver: LinesDriver) =>
  async ({ attempts, ...options }: Run): Promise<readonly string[]> => {
    const answers = await runAttempts({
      ...options,
      driver,
      classPath,
      attempts: Object.fromEntries(attempts.entries()),
    })
    return attempts.map((_, at) => answers[at] ?? '')
  }

const node = (name: string, made: (options: Run) => Promise<readonly string[]>): Driver => ({
  ...{ language: 'js', name, install: () => Promise.resolve(made) },
})

const python = (name: string, who: string): Driver => ({
  ...{ language: 'python', name },
  install: async () => {
    const libraries = await pypi(name.split('==')[0] ?? name, [name])
    return libraries === undefined ? undefined : inPython(libraries, who)
  },
})

const jackson = 'com.fasterxml.jackson.core:jackson-databind:2.18.3'
const silence = 'org.slf4j:slf4j-nop:1.7.36'

const jvm = (
  artifact: string,
  { name, imports, who }: { readonly name: string; readonly imports: readonly string[]; readonly who: string },
): Driver => ({
  ...{ language: 'java', name: artifact },
  install: async () => {
    const classPath = await maven(artifact.split(':')[1] ?? artifact, [artifact, jackson, silence])
    if (classPath === undefined) return undefined
    return inJava(classPath, { name, imports: imports.map((one) => `import ${one};`).join('\n'), use: who })
  },
})

/** Words of Java: this field of an object of JSON. */
const named = (json: string, field: string): string =>
  `new com.fasterxml.jackson.databind.ObjectMapper().readTree(${json}).get("${field}").asText()`

const httpclient5 = [
  ...['org.apache.hc.client5.http.auth.*', 'org.apache.hc.client5.http.impl.auth.BasicCredentialsProvider'],
  ...[
    'org.apache.hc.client5.http.ssl.*',
    'org.apache.hc.core5.http.HttpHost',
    'org.apache.hc.core5.ssl.SSLContextBuilder',
  ],
]

const elasticsearchWho = 'client.security.authenticate()["username"]'

export const drivers = {
  Elasticsearch: [
    node(
      '@elastic/elasticsearch',
      inNode(Elasticsearch, async (client: Elasticsearch) => (await client.security.authenticate()).username),
    ),
    python('elasticsearch==9.5.1', elasticsearchWho),
    // With httpclient5 5.6, which checks no name unless it is told to.
    jvm('co.elastic.clients:elasticsearch-java:9.2.8', {
      name: 'ElasticsearchJava',
      imports: [
        ...httpclient5,
        'co.elastic.clients.elasticsearch.ElasticsearchClient',
        'co.elastic.clients.json.jackson.JacksonJsonpMapper',
        'co.elastic.clients.transport.rest5_client.Rest5ClientTransport',
        'co.elastic.clients.transport.rest5_client.low_level.Rest5Client',
      ],
      who: 'try { return client.security().authenticate().username(); } finally { client.close(); }',
    }),
  ],
  'Elasticsearch 7': [
    python('elasticsearch==7.17.13', elasticsearchWho),
    jvm('org.elasticsearch.client:elasticsearch-rest-client:7.17.28', {
      name: 'RestClientOfSeven',
      imports: [
        ...[
          'org.apache.http.HttpHost',
          'org.apache.http.auth.*',
          'org.apache.http.impl.client.BasicCredentialsProvider',
        ],
        ...['org.apache.http.ssl.SSLContextBuilder', 'org.elasticsearch.client.*'],
      ],
      who: `try (client) {
        var answer = client.performRequest(new Request("GET", "/_security/_authenticate")).getEntity();
        return ${named('new String(answer.getContent().readAllBytes())', 'username')};
      }`,
    }),
  ],
  OpenSearch: [
    node(
      '@opensearch-project/opensearch',
      inNode(OpenSearch, async (client: OpenSearch) => {
        const { body } = await client.transport.request({ method: 'GET', path: '/_plugins/_security/authinfo' })
        return (body as { user_name: string }).user_name
      }),
    ),
    python(
      'opensearch-py==3.2.0',
      'client.transport.perform_request("GET", "/_plugins/_security/authinfo")["user_name"]',
    ),
    jvm('org.opensearch.client:opensearch-java:3.10.0', {
      name: 'OpenSearchJava',
      imports: [
        ...httpclient5,
        'org.apache.hc.client5.http.impl.nio.PoolingAsyncClientConnectionManagerBuilder',
        ...['org.opensearch.client.opensearch.OpenSearchClient', 'org.opensearch.client.opensearch.generic.Requests'],
        'org.opensearch.client.transport.httpclient5.ApacheHttpClient5TransportBuilder',
      ],
      who: `try (transport) {
        var request = Requests.builder().method("GET").endpoint("/_plugins/_security/authinfo").build();
        var answer = client.generic().execute(request);
        if (answer.getStatus() != 200) throw new IllegalStateException("status " + answer.getStatus());
        return ${named('answer.getBody().get().bodyAsString()', 'user_name')};
      }`,
    }),
  ],
} as const satisfies Record<string, readonly Driver[]>
