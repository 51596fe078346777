import { join } from 'node:path'
import type { ProxyPlace, ProxyProgram } from './proxy.ts'

type Side = 'server' | 'client'

/** https://www.stunnel.org/static/stunnel.html */
const configuration = (side: Side, { port, volume, upstream }: ProxyPlace): string =>
  [
    'foreground = yes',
    'pid =',
    'syslog = no',
    'debug = notice',
    '[only]',
    `accept = 127.0.0.1:${port}`,
    `connect = 127.0.0.1:${upstream.port}`,
    `cert = ${volume.path('tls.pem')}`,
    `CAfile = ${volume.path('ca.crt')}`,
    'verifyChain = yes',
    ...(side === 'client'
      ? ['client = yes', `checkHost = ${upstream.name}`, `sni = ${upstream.name}`]
      : ['requireCert = yes']),
    '',
  ].join('\n')

const program = (side: Side): ProxyProgram => ({
  name: `stunnel as a ${side}`,
  package: 'stunnel4',
  files: (place) => ({ 'stunnel.conf': configuration(side, place) }),
  command: ({ installation, folder }) => [...installation.start('/usr/bin/stunnel4'), join(folder, 'stunnel.conf')],
  // It answers nothing, and says in its log alone that it keeps the old files.
  reload: (_, process) => {
    process.signal('SIGHUP')
    return Promise.resolve()
  },
})

/** Takes TLS from clients and speaks to the server in the clear. */
export const stunnelServer = program('server')
/** Takes plain connections and speaks TLS to the server. */
export const stunnelClient = program('client')
