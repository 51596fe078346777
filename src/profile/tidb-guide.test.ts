/** The guides of PingCAP for TLS between the servers of a cluster, on the six nodes that they take for an example. */
import { describe, expect, it } from 'vitest'
import { expanded, sixNodes } from './profile.fixture.ts'

const { certificates, configMap, endpoints, refusals, warnings } = expanded(sixNodes)
const files = configMap?.data ?? {}
const loopback = ['127.0.0.1', '::1']

/** The names before `=`, below the sections they stand in. */
const settings = (toml: string | undefined): string[] => {
  let section = ''
  return (toml ?? '').split('\n').flatMap((line) => {
    const [, header] = /^\[(.+)\]$/.exec(line) ?? []
    if (header !== undefined) section = `${header}.`
    const [, name] = /^([-_a-z]+) = /.exec(line) ?? []
    return name === undefined ? [] : [`${section}${name}`]
  })
}

const security = (...names: readonly string[]): string[] => names.map((name) => `security.${name}`)

describe('TiDB on six nodes', () => {
  it('is refused nothing', () => {
    expect([refusals, warnings]).toEqual([[], []])
  })
  // https://docs.pingcap.com/tidb/stable/generate-self-signed-certificates
  it.each([
    ['pd', 'Peer', ['172.16.10.11', '172.16.10.12', '172.16.10.13']],
    ['tidb', 'Peer', ['172.16.10.11']],
    ['tikv', 'Peer', ['172.16.10.14', '172.16.10.15', '172.16.10.16']],
    ['tiflash', 'Peer', ['172.16.10.16']],
    ['ticdc', 'Peer', ['172.16.10.15']],
    ['tiproxy', 'Peer', ['172.16.10.14']],
  ])('%s has a certificate of a %s for its addresses', (part, role, addresses) => {
    const [found, ...more] = certificates.filter((one) => one.part === part)
    expect(more).toEqual([])
    expect(found?.spec).toMatchObject({
      role,
      subject: { commonName: 'TiDB' },
      ipAddresses: [...addresses, ...loopback],
    })
  })
  it('has one for the SQL port that is good wherever clients connect, and one for the tools', () => {
    const [server] = certificates.filter(({ part }) => part === 'server')
    expect(server?.spec).toMatchObject({ role: 'Server', ipAddresses: ['172.16.10.11', '172.16.10.14', ...loopback] })
    const [tools] = certificates.filter(({ part }) => part === 'cluster-client')
    expect(tools?.spec).toMatchObject({ role: 'Client', subject: { commonName: 'TiDB' } })
  })
  // https://docs.pingcap.com/tidb/stable/enable-tls-between-components (which lists them all but TiProxy),
  // https://docs.pingcap.com/tidb/stable/enable-tls-between-clients-and-servers, https://docs.pingcap.com/tidb/stable/tiproxy-configuration
  it.each([
    [
      'tidb.toml',
      security(
        ...['ssl-ca', 'ssl-cert', 'ssl-key'],
        ...['cluster-ssl-ca', 'cluster-ssl-cert', 'cluster-ssl-key', 'cluster-verify-cn'],
      ),
    ],
    ['tikv.toml', security('ca-path', 'cert-path', 'key-path', 'cert-allowed-cn')],
    ['pd.toml', security('cacert-path', 'cert-path', 'key-path', 'cert-allowed-cn')],
    ['tiflash.toml', security('ca_path', 'cert_path', 'key_path', 'cert_allowed_cn')],
    ['tiflash-learner.toml', security('ca-path', 'cert-path', 'key-path', 'cert-allowed-cn')],
    ['ticdc.toml', security('ca-path', 'cert-path', 'key-path', 'cert-allowed-cn')],
    [
      'tiproxy.toml',
      security(
        'require-backend-tls',
        ...['server-tls.cert', 'server-tls.key', 'server-http-tls.cert', 'server-http-tls.key'],
        ...['cluster-tls.ca', 'cluster-tls.cert', 'cluster-tls.key', 'sql-tls.ca'],
      ),
    ],
  ])('%s says what the guide says', (file, names) => {
    expect(settings(files[file])).toEqual(names)
  })
  it('lets nobody in between the servers who is not one', () => {
    for (const file of ['tidb.toml', 'tikv.toml', 'pd.toml', 'tiflash.toml', 'tiflash-learner.toml', 'ticdc.toml'])
      expect(files[file]).toMatch(/^(cluster-verify-cn|cert-allowed-cn|cert_allowed_cn) = \["TiDB"\]$/m)
  })
  it('is looked at on every node', () => {
    expect(endpoints.map(({ part, address }) => `${part} ${address}`)).toEqual([
      'server 172.16.10.11:4000',
      'pd 172.16.10.11:2379',
      'pd 172.16.10.12:2379',
      'pd 172.16.10.13:2379',
      'tikv 172.16.10.14:20160',
      'tikv 172.16.10.15:20160',
      'tikv 172.16.10.16:20160',
      'tidb 172.16.10.11:10080',
      'tiflash 172.16.10.16:3930',
      'ticdc 172.16.10.15:8300',
      'tiproxy 172.16.10.14:6000',
    ])
  })
  it('is looked at where TiDB alone says where it runs', () => {
    const { topology: _, ...spec } = sixNodes
    const servers = expanded(spec).endpoints.filter(({ part }) => part === 'server')
    expect(servers.map(({ address }) => address)).toEqual(['172.16.10.11:4000'])
  })
  it('has the pods of TiDB and of TiProxy in the certificate that clients see', () => {
    const set = (name: string) => ({ name, statefulSet: { name: `c-${name}`, headlessService: `c-${name}-peer` } })
    const all = expanded({ engine: 'TiDB', components: [set('pd'), set('tidb'), set('tiproxy')] })
    const [server] = all.certificates.filter(({ part }) => part === 'server')
    expect(server?.spec.dnsNames).toEqual(
      expect.arrayContaining(['*.c-tidb-peer.data.svc', '*.c-tiproxy-peer.data.svc']),
    )
    expect(server?.spec.dnsNames).not.toContain('*.c-pd-peer.data.svc')
    expect(all.endpoints.map(({ address }) => address)).toContain('c-tidb-0.c-tidb-peer.data.svc.cluster.local:4000')
  })
  it('is administered with the certificate of the tools', () => {
    expect(files['commands.md']).toContain(
      'pd-ctl -u https://127.0.0.1:2379 --cacert /etc/dbtls/cluster-client/ca.crt --cert /etc/dbtls/cluster-client/tls.crt --key /etc/dbtls/cluster-client/tls.key member',
    )
  })
})
