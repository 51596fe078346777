/** Cassandra of Maven: one node, nodetool, cqlsh of PyPI, and the Java driver. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort, type Reaper } from '../../controlplane/harness/process.ts'
import { java, javaTools, type Jvm } from './java.ts'
import { maven, pypi } from './packages.ts'
import { Server, serverFolder } from './server.ts'

export const cassandraVersion = '5.0.6'

export interface Cassandra {
  readonly classPath: string
  /** Of the Java driver. */
  readonly driver: string
  /** For PYTHONPATH. */
  readonly cqlsh: string
}

/** Undefined where it cannot be had here; the reason is on stderr. */
export const installCassandra = async (): Promise<Cassandra | undefined> => {
  const classPath = await maven('cassandra', [`org.apache.cassandra:cassandra-all:${cassandraVersion}`])
  const driver = await maven('cassandra-driver', [
    'org.apache.cassandra:java-driver-core:4.19.0',
    'org.slf4j:slf4j-nop:1.7.26',
  ])
  const cqlsh = await pypi('cqlsh', ['cqlsh==6.2.2', 'cassandra-driver==3.30.1'])
  if (classPath === undefined || driver === undefined || cqlsh === undefined) return undefined
  return { classPath, driver, cqlsh }
}

/** What conf/jvm17-server.options of the distribution opens. */
const opened = [
  ...['java.base/java.io', 'java.base/java.lang', 'java.base/java.lang.module', 'java.base/java.lang.reflect'],
  ...['java.base/java.math', 'java.base/java.net', 'java.base/java.nio', 'java.base/java.util'],
  ...['java.base/java.util.concurrent', 'java.base/java.util.concurrent.atomic', 'java.base/jdk.internal.loader'],
  ...['java.base/jdk.internal.math', 'java.base/jdk.internal.module', 'java.base/jdk.internal.ref'],
  ...['java.base/jdk.internal.reflect', 'java.base/jdk.internal.vm', 'java.base/jdk.internal.util.jar'],
  ...['java.base/sun.nio.ch', 'java.management/sun.management', 'java.management/com.sun.jmx.remote.security'],
  ...['java.rmi/sun.rmi.registry', 'java.rmi/sun.rmi.server', 'java.rmi/sun.rmi.transport.tcp'],
  ...['java.management.rmi/javax.management.remote.rmi', 'java.sql/java.sql', 'jdk.management.jfr/jdk.management.jfr'],
].flatMap((one) => ['--add-opens', `${one}=ALL-UNNAMED`, '--add-exports', `${one}=ALL-UNNAMED`])

const yaml = (folder: string, { port, storagePort }: Ports): string => `
cluster_name: orders
num_tokens: 1
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
commitlog_sync: periodic
commitlog_sync_period: 10000ms
commitlog_segment_size: 2MiB
commitlog_directory: ${folder}/data/commitlog
saved_caches_directory: ${folder}/data/saved_caches
hints_directory: ${folder}/data/hints
cdc_raw_directory: ${folder}/data/cdc
data_file_directories: [${folder}/data/data]
disk_optimization_strategy: ssd
seed_provider: [{class_name: org.apache.cassandra.locator.SimpleSeedProvider, parameters: [{seeds: "127.0.0.1:${storagePort}"}]}]
listen_address: 127.0.0.1
rpc_address: 127.0.0.1
endpoint_snitch: SimpleSnitch
storage_port: ${storagePort}
native_transport_port: ${port}
start_native_transport: true
auto_bootstrap: false
role_manager: CassandraRoleManager
`

const logback =
  '<configuration><appender name="O" class="ch.qos.logback.core.ConsoleAppender"><encoder><pattern>%-5level %logger{0} %msg%n</pattern></encoder></appender><root level="INFO"><appender-ref ref="O"/></root></configuration>'

interface Ports {
  readonly port: number
  /** Between nodes. */
  readonly storagePort: number
}

export interface NodeOptions extends Ports {
  readonly cassandra: Cassandra
  /** Of data and log; kept from one start to the next. */
  readonly folder: string
  /** cassandra.yaml of the ConfigMap, to the letter. */
  readonly configuration: string
  /** More of it, as `authenticator: …`. */
  readonly more: string
  readonly jmxPort: number
  /** Look for changed files every second, and not every ten minutes; nothing else of it is changed. */
  readonly isHasty?: boolean
  readonly reaper: Reaper
}

const sslFactory = 'org/apache/cassandra/security/SSLFactory.class'
/** A constant of the class file: its tag for a long, and the seconds. */
const long = (seconds: number): Buffer => Buffer.of(5, 0, 0, 0, 0, 0, 0, seconds >> 8, seconds & 0xff)

/**
 * The class that looks for changed files, with another interval, into a folder that stands before the jar on the class path:
 * Cassandra has no option for it. Throws where the jar does not say ten minutes.
 */
const hasten = ({ classPath }: Cassandra, folder: string): void => {
  const jar = join(dirname(classPath), `cassandra-all-${cassandraVersion}.jar`)
  execFileSync('jar', ['--extract', '--file', jar, sslFactory], { cwd: folder })
  const bytes = readFileSync(join(folder, sslFactory))
  const at = bytes.indexOf(long(600))
  if (at === -1 || bytes.indexOf(long(600), at + 1) !== -1) throw new Error(`${jar} looks at its files at other times`)
  long(1).copy(bytes, at)
  writeFileSync(join(folder, sslFactory), bytes)
}

const jvmOf = ({ classPath }: Cassandra, folder: string, heapMiB: number, logging: string): Jvm => ({
  classPath: `${folder}:${classPath}`,
  heapMiB,
  options: [
    ...opened,
    ...[`-Djava.io.tmpdir=${folder}`, `-Dlogback.configurationFile=${logging}`],
    ...[`-Dcassandra.config=file://${folder}/cassandra.yaml`, `-Dcassandra.storagedir=${folder}/data`],
  ],
})

export const startNode = async (options: NodeOptions): Promise<Server> => {
  const { cassandra, folder, configuration, more, jmxPort, port, reaper } = options
  serverFolder(folder, {
    'cassandra.yaml': `${yaml(folder, options)}${configuration}${more}`,
    'logback.xml': logback,
  })
  if (options.isHasty === true) hasten(cassandra, folder)
  else rmSync(join(folder, sslFactory), { force: true })
  const jvm = jvmOf(cassandra, folder, 512, `${folder}/logback.xml`)
  const quick = [
    ...['-Djdk.attach.allowAttachSelf=true', '-Djava.net.preferIPv4Stack=true', '-Dio.netty.transport.noNative=true'],
    ...[`-Dcassandra.jmx.local.port=${jmxPort}`, '-Dcassandra.ring_delay_ms=0'],
    ...['-Dcassandra.skip_wait_for_gossip_to_settle=0', '-Dcassandra.superuser_setup_delay_ms=0'],
  ]
  return Server.start({
    ...{ name: `Cassandra ${cassandraVersion}`, folder, reaper },
    command: java(
      { ...jvm, options: [...(jvm.options ?? []), ...quick] },
      'org.apache.cassandra.service.CassandraDaemon',
    ),
    target: { address: '127.0.0.1', port, dialect: 'cassandra' },
  })
}

const driverProgram = fileURLToPath(new URL('Cql.java', import.meta.url))

/** A folder of `nodetool` for the node in `node`, `cqlsh`, and `cql-java` (see Cql.java). */
export const cassandraTools = (cassandra: Cassandra, folder: string, node: string, jmxPort: number): string => {
  mkdirSync(folder, { recursive: true })
  javaTools(folder, jvmOf(cassandra, node, 96, 'none'), {
    nodetool: ['org.apache.cassandra.tools.NodeTool', '-h', '127.0.0.1', '-p', String(jmxPort)],
  })
  // application.conf is looked for on the class path.
  javaTools(folder, { classPath: `${cassandra.driver}:.`, heapMiB: 128 }, { 'cql-java': [driverProgram] })
  const script = join(folder, 'cqlsh')
  writeFileSync(
    script,
    `#!/bin/sh\nPYTHONPATH='${cassandra.cqlsh}' exec python3 -B '${cassandra.cqlsh}/bin/cqlsh' "$@"\n`,
  )
  chmodSync(script, 0o755)
  return folder
}

export const cassandraPorts = async (): Promise<Ports & { readonly jmxPort: number }> => ({
  ...{ port: await freePort(), storagePort: await freePort(), jmxPort: await freePort() },
})
