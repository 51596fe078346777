import {
  certificateOf,
  otherName,
  type Scenario,
  type Stage,
  strangersAuthority,
  strangersCertificate,
} from './scenario.ts'

const clients = [{ name: 'app' }, { name: 'root' }, { name: 'report', username: 'reporting' }]

/** What a line of commands.md leaves out where it has connected once already. */
const connection = ({ world, database }: Stage, client: string): Readonly<Record<string, string>> => {
  const { volume } = world.client(client)
  return {
    ETCDCTL_ENDPOINTS: `https://orders.data.svc:${database.place.port}`,
    ETCDCTL_CACERT: volume.path('ca.crt'),
    ETCDCTL_CERT: volume.path('tls.crt'),
    ETCDCTL_KEY: volume.path('tls.key'),
  }
}

/** The users by the lines of commands.md; app alone may write. */
const prepare = async (stage: Stage): Promise<void> => {
  const env = connection(stage, 'root')
  const users = clients.map(({ name }) => {
    const { files } = stage.world.client(name)
    return (files['commands.md'] ?? '').split('\n').filter((line) => line.startsWith('etcdctl user add'))
  })
  const lines = [
    ...new Set(users.flat()),
    ...['etcdctl role add writer', 'etcdctl role grant-permission writer readwrite orders'],
    ...['etcdctl user grant-role app writer', 'etcdctl user grant-role root root', 'etcdctl auth enable'],
  ]
  for (const line of lines) {
    const { shown, code } = await stage.shell.type(line, undefined, env)
    if (code !== 0) throw new Error(`${line}: ${shown}`)
  }
}

const plain = (line: string): string => line.replace('https:', 'http:').replaceAll(/ --(cacert|cert|key)=\S+/g, '')
const withoutCertificate = (line: string): string => line.replaceAll(/ --(cert|key)=\S+/g, '')
/** The same connection asks for something that only app may have. */
const writing = (line: string): string => line.replace('endpoint health', 'put orders 1')
/** It tries again until its time is over; what it met last is not always the alert. */
const unhealthy = /https:\/\/orders\.data\.svc:\d+ is unhealthy/
const healthy = /https:\/\/orders\.data\.svc:\d+ is healthy/

export const etcd: Scenario = {
  product: 'etcd',
  spec: { engine: 'Etcd', version: '3.5', clients },
  shell: (installation) => Promise.resolve({ programs: { etcdctl: installation.start('/usr/bin/etcdctl') } }),
  prepare,
  line: /^etcdctl --endpoints/,
  welcome: { app: healthy, root: healthy, report: healthy },
  refused: [
    {
      name: 'a plain connection',
      client: 'app',
      change: plain,
      says: /error reading server preface|context deadline exceeded/,
    },
    {
      ...{ name: 'a server of another name', client: 'app', change: otherName },
      says: /x509: certificate is valid for .*, not other\.test/,
    },
    {
      ...{ name: 'a server of an unknown CA', client: 'app', change: strangersAuthority },
      says: /x509: certificate signed by unknown authority/,
    },
    {
      ...{ name: 'a certificate of an unknown CA', client: 'app', change: strangersCertificate, says: unhealthy },
      log: /rejected connection.*x509: certificate signed by unknown authority/,
    },
    {
      ...{ name: 'no certificate', client: 'app', change: withoutCertificate, says: unhealthy },
      log: /rejected connection.*client didn't provide a certificate/,
    },
    {
      ...{ name: 'a write of a user whose common name has no role for it', client: 'report', change: writing },
      says: /etcdserver: permission denied/,
    },
    {
      ...{ name: "the same with another's certificate", client: 'app' },
      ...{
        change: (line, stage) => writing(certificateOf('report')(line, stage)),
        says: /etcdserver: permission denied/,
      },
    },
  ],
  mismatch: { reload: 'Silent', serves: false },
}
