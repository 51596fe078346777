/** Kafka of Maven: broker and controller in one process (KRaft), with an authorizer, and its command-line tools. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { must, type Reaper } from '../../controlplane/harness/process.ts'
import { hostsFile, java, javaTools, type Jvm } from './java.ts'
import { maven } from './packages.ts'
import { asServer } from './server-user.ts'
import { Server } from './server.ts'

export const kafkaVersion = '4.3.0'

export interface Kafka {
  readonly classPath: string
}

/** Undefined where it cannot be had here; the reason is on stderr. */
export const installKafka = async (): Promise<Kafka | undefined> => {
  const classPath = await maven('kafka', [
    `org.apache.kafka:kafka_2.13:${kafkaVersion}`,
    `org.apache.kafka:kafka-tools:${kafkaVersion}`,
    'org.slf4j:slf4j-simple:1.7.36',
  ])
  return classPath === undefined ? undefined : { classPath }
}

const jvm = ({ classPath }: Kafka, heapMiB: number, hosts: string): Jvm => ({
  ...{ classPath, heapMiB, hosts },
  options: ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'],
})

/** The classes behind bin/*.sh of the distribution. */
const tools = {
  'kafka-topics.sh': ['org.apache.kafka.tools.TopicCommand'],
  'kafka-acls.sh': ['org.apache.kafka.tools.AclCommand'],
  'kafka-configs.sh': ['kafka.admin.ConfigCommand'],
  'kafka-console-producer.sh': ['org.apache.kafka.tools.ConsoleProducer'],
  'kafka-console-consumer.sh': ['org.apache.kafka.tools.consumer.ConsoleConsumer'],
  'kafka-broker-api-versions.sh': ['org.apache.kafka.tools.BrokerApiVersionsCommand'],
} as const

/** A folder of the tools; `names` lead to the loopback. */
export const kafkaTools = (kafka: Kafka, folder: string, names: readonly string[]): string =>
  javaTools(folder, jvm(kafka, 128, hostsFile(`${folder}.hosts`, names)), tools)

export interface Listener {
  readonly name: string
  readonly port: number
}

export interface BrokerOptions {
  /** Of data and log. */
  readonly folder: string
  /** server.properties of the ConfigMap, to the letter. */
  readonly properties: string
  /** More properties, after it. */
  readonly more?: Readonly<Record<string, string>>
  /** The name clients connect to. */
  readonly host: string
  /** All of them with TLS; the first one is for the brokers too. */
  readonly listeners: readonly [Listener, ...Listener[]]
  readonly controllerPort: number
  readonly reaper: Reaper
}

/** What has nothing to do with TLS. */
const clusterProperties = ({ folder, host, listeners, controllerPort }: BrokerOptions): Record<string, string> => {
  const all = [...listeners, { name: 'CONTROLLER', port: controllerPort }]
  return {
    'process.roles': 'broker,controller',
    'node.id': '0',
    'controller.quorum.voters': `0@localhost:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: all.map(({ name, port }) => `${name}://127.0.0.1:${port}`).join(','),
    'advertised.listeners': listeners.map(({ name, port }) => `${name}://${host}:${port}`).join(','),
    'listener.security.protocol.map': all.map(({ name }) => `${name}:SSL`).join(','),
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'log.dirs': join(folder, 'data'),
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'group.initial.rebalance.delay.ms': '0',
  }
}

const text = (properties: Readonly<Record<string, string>>): string =>
  Object.entries(properties)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')

export const startBroker = async (kafka: Kafka, options: BrokerOptions): Promise<Server> => {
  const { folder, properties, more = {}, host, listeners, reaper } = options
  const broker = jvm(kafka, 320, hostsFile(join(folder, 'hosts'), [host]))
  const file = join(folder, 'broker.properties')
  writeFileSync(file, text(clusterProperties(options)) + properties + text(more))
  const [command, ...args] = asServer(
    java(broker, 'kafka.tools.StorageTool', 'format', '--cluster-id', '4L6g3nShT-eMCtK--X86sw', '--config', file),
  )
  await must(command, args, { cwd: folder })
  return Server.start({
    ...{ name: `Kafka ${kafkaVersion}`, folder, reaper, command: java(broker, 'kafka.Kafka', file) },
    target: { address: '127.0.0.1', port: listeners[0].port, dialect: 'kafka' },
  })
}
