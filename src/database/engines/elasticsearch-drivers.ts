/**
 * Lines for the drivers of Elasticsearch. https://www.elastic.co/docs/reference/elasticsearch/clients/javascript/connecting,
 * https://www.elastic.co/docs/reference/elasticsearch/clients/python/connecting,
 * https://www.elastic.co/docs/reference/elasticsearch/clients/java/_encrypted_communication
 */
import type { Client, Context } from './engine.ts'
import { quotedString } from './quote/yaml.ts'
import {
  driverLines,
  httpclient5,
  javaContext,
  javaPassword,
  loginOf,
  nodeLines,
  pythonArguments,
  urlOf,
} from './search-drivers.ts'
import { isAtLeast } from './version.ts'

const password = 'ELASTICSEARCH_PASSWORD'

/** With version 8 the drivers called some of it otherwise. */
const isOfSeven = ({ version }: Context): boolean => !isAtLeast(version, '8.0')

const node = (context: Context, client: Client): string[] =>
  nodeLines({
    ...{ context, client, password, package: '@elastic/elasticsearch' },
    ...(isOfSeven(context)
      ? { note: '@elastic/elasticsearch 7', tls: 'ssl' as const }
      : { note: '@elastic/elasticsearch 8 and later', tls: 'tls' as const }),
  })

const python = (context: Context, client: Client): string[] => [
  isOfSeven(context) ? '# elasticsearch 7' : '# elasticsearch 8 and later',
  ...(loginOf(client) === undefined ? [] : ['import os']),
  'from elasticsearch import Elasticsearch',
  '',
  'client = Elasticsearch(',
  `    ${quotedString(urlOf(context))},`,
  ...pythonArguments(client, isOfSeven(context) ? 'http_auth' : 'basic_auth', password),
  ')',
]

/** With version 9 it went from Apache's HTTP client 4 to 5. */
const java = (context: Context, client: Client): string[] =>
  isAtLeast(context.version, '9.0') ? java9(context, client) : restClient(context, client)

const java9 = (context: Context, client: Client): string[] => [
  '// elasticsearch-java 9; SSLContextBuilder is that of org.apache.hc.core5.ssl',
  ...httpclient5(context, client, password),
  'var rest = Rest5Client.builder(host)',
  '    .setConnectionManagerCallback(connections -> connections.setTlsStrategy(verified))',
  ...(loginOf(client) === undefined
    ? []
    : ['    .setHttpClientConfigCallback(http -> http.setDefaultCredentialsProvider(users))']),
  '    .build();',
  'var client = new ElasticsearchClient(new Rest5ClientTransport(rest, new JacksonJsonpMapper()));',
]

const restClient = (context: Context, client: Client): string[] => {
  const username = loginOf(client)
  return [
    '// elasticsearch-rest-client, on which elasticsearch-java 7 and 8 rest; SSLContextBuilder is that of org.apache.http.ssl',
    ...javaContext(client),
    ...(username === undefined
      ? []
      : [
          'var users = new BasicCredentialsProvider();',
          'users.setCredentials(AuthScope.ANY,',
          `    new UsernamePasswordCredentials(${quotedString(username)}, ${javaPassword(password)}));`,
        ]),
    `var client = RestClient.builder(new HttpHost(${quotedString(context.host)}, ${context.port}, "https"))`,
    `    .setHttpClientConfigCallback(http -> http.setSSLContext(tls)${username === undefined ? '' : '.setDefaultCredentialsProvider(users)'})`,
    '    .build();',
  ]
}

export const elasticsearchDrivers = (context: Context, client: Client): string[] =>
  driverLines({ password, node, python, java }, context, client)
