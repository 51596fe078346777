import { join } from 'node:path'
import type { Runner } from './database.ts'

export const etcd: Runner = {
  dialect: 'http',
  command: (place) => [
    ...place.installation.start('/usr/bin/etcd'),
    ...['--data-dir', join(place.folder, 'data'), '--unsafe-no-fsync=true', '--log-level=warn'],
    ...['--listen-client-urls', `https://127.0.0.1:${place.port}`],
    ...['--advertise-client-urls', `https://127.0.0.1:${place.port}`, '--listen-peer-urls', 'http://127.0.0.1:0'],
    ...['--cert-file', place.volume.path('tls.crt'), '--key-file', place.volume.path('tls.key')],
    ...['--trusted-ca-file', place.volume.path('ca.crt'), '--client-cert-auth'],
  ],
  // Certificate and key are read at every handshake, the CA at the start alone.
  reload: 'Restart',
}
