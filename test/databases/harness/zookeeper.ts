/** ZooKeeper of Maven: servers of one ensemble, each at a loopback address of its own, and its command line. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect, type SecureContextOptions } from 'node:tls'
import { eventually, freePort, type Reaper } from '../../controlplane/harness/process.ts'
import { java, javaTools, type Jvm } from './java.ts'
import { maven } from './packages.ts'
import { Server, serverFolder } from './server.ts'

export const zookeeperVersion = '3.9.4'

/** Its class path; undefined where it cannot be had here, and the reason is on stderr. */
export const installZooKeeper = (): Promise<string | undefined> =>
  maven('zookeeper', [
    `org.apache.zookeeper:zookeeper:${zookeeperVersion}`,
    'io.dropwizard.metrics:metrics-core:4.1.12.1',
    'org.xerial.snappy:snappy-java:1.1.10.7',
    'commons-cli:commons-cli:1.5.0',
    'org.slf4j:slf4j-simple:2.0.13',
  ])

const options = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-Djava.net.preferIPv4Stack=true']

/** A folder with zkCli.sh; `hosts` is a file as /etc/hosts. */
export const zookeeperTools = (classPath: string, folder: string, hosts: string): string =>
  javaTools(folder, { classPath, heapMiB: 64, hosts, options }, { 'zkCli.sh': ['org.apache.zookeeper.ZooKeeperMain'] })

export interface EnsembleOptions {
  readonly classPath: string
  /** Of data and logs. */
  readonly folder: string
  /** zoo.cfg of the ConfigMap, to the letter. */
  readonly configuration: string
  readonly addresses: readonly string[]
  /** Its secureClientPort. */
  readonly port: number
  /** What a client trusts and shows. */
  readonly client: () => SecureContextOptions
  readonly reaper: Reaper
}

/** What the server at this address says of itself over TLS; empty where it says nothing. */
const srvr = async (address: string, port: number, client: SecureContextOptions): Promise<string> => {
  const socket = connect({ host: address, port, ...client })
  const heard: Buffer[] = []
  socket.on('data', (chunk: Buffer) => heard.push(chunk))
  socket.on('error', () => undefined)
  socket.write('srvr')
  await once(socket, 'close')
  return Buffer.concat(heard).toString('latin1')
}

export interface Ensemble extends AsyncDisposable {
  /** Where the servers elect a leader among themselves. */
  readonly electionPort: number
  /** Restarts the servers one after the other, as a rollout does: the next one when the last one serves again. */
  rollOut(): Promise<void>
}

export const startEnsemble = async (init: EnsembleOptions): Promise<Ensemble> => {
  const { classPath, folder, configuration, addresses, port, client, reaper } = init
  const [peerPort, electionPort] = [await freePort(), await freePort()]
  const members = addresses.map((address, index) => `server.${index + 1}=${address}:${peerPort}:${electionPort}\n`)
  const jvm: Jvm = { classPath, heapMiB: 96, options }
  const configurations = addresses.map((address, index) => {
    const own = serverFolder(join(folder, `zookeeper-${index + 1}`), { myid: String(index + 1) })
    const more = `tickTime=1000\ninitLimit=30\nsyncLimit=30\ndataDir=${own}\nsecureClientPortAddress=${address}\n`
    writeFileSync(join(own, 'zoo.cfg'), `${configuration}${more}admin.enableServer=false\n${members.join('')}`)
    return { address, own }
  })
  const start = ({ address, own }: (typeof configurations)[number]): Promise<Server> =>
    Server.start({
      ...{ name: `ZooKeeper ${zookeeperVersion} at ${address}`, folder: own, reaper },
      command: java(jvm, 'org.apache.zookeeper.server.quorum.QuorumPeerMain', join(own, 'zoo.cfg')),
      target: { address, port, dialect: 'zookeeper' },
    })
  /** A server answers before it knows its leader, and then serves nobody. */
  const settled = async (): Promise<void> => {
    for (const address of addresses)
      await eventually(
        `${address} to serve`,
        async () => /^Mode: (leader|follower)$/m.test(await srvr(address, port, client())),
        { timeoutMs: 120_000 },
      )
  }
  const servers = await Promise.all(configurations.map(start))
  await settled()
  return {
    electionPort,
    async rollOut() {
      for (const [index, one] of configurations.entries()) {
        await servers[index]?.[Symbol.asyncDispose]()
        servers[index] = await start(one)
        await settled()
      }
    },
    async [Symbol.asyncDispose]() {
      for (const server of servers) await server[Symbol.asyncDispose]()
    },
  }
}
