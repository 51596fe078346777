/**
 * Lines for the drivers of OpenSearch. https://docs.opensearch.org/latest/clients/javascript/index/,
 * https://docs.opensearch.org/latest/clients/python-low-level/, https://docs.opensearch.org/latest/clients/java/
 */
import type { Client, Context } from './engine.ts'
import { quotedString } from './quote/yaml.ts'
import { driverLines, httpclient5, loginOf, nodeLines, pythonArguments } from './search-drivers.ts'

const password = 'OPENSEARCH_PASSWORD'

const node = (context: Context, client: Client): string[] =>
  nodeLines({
    ...{ context, client, password, package: '@opensearch-project/opensearch' },
    ...{ note: '@opensearch-project/opensearch', tls: 'ssl' },
  })

const python = (context: Context, client: Client): string[] => [
  '# opensearch-py',
  ...(loginOf(client) === undefined ? [] : ['import os']),
  'from opensearchpy import OpenSearch',
  '',
  'client = OpenSearch(',
  `    hosts=[{"host": ${quotedString(context.host)}, "port": ${context.port}}],`,
  '    use_ssl=True,',
  '    verify_certs=True,',
  ...pythonArguments(client, 'http_auth', password),
  ')',
]

const java = (context: Context, client: Client): string[] => [
  '// opensearch-java and httpclient5; SSLContextBuilder is that of org.apache.hc.core5.ssl',
  ...httpclient5(context, client, password),
  'var connections = PoolingAsyncClientConnectionManagerBuilder.create().setTlsStrategy(verified).build();',
  'var transport = ApacheHttpClient5TransportBuilder.builder(host)',
  `    .setHttpClientConfigCallback(http -> http.setConnectionManager(connections)${loginOf(client) === undefined ? '' : '.setDefaultCredentialsProvider(users)'})`,
  '    .build();',
  'var client = new OpenSearchClient(transport);',
]

export const opensearchDrivers = (context: Context, client: Client): string[] =>
  driverLines({ password, node, python, java }, context, client)
