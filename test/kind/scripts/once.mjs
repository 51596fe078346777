// Connects once with a verified connection, shows its certificate, and prints what it saw. Environment: HOST, PORT.
import { connect } from 'node:tls'
import { setTimeout as sleep } from 'node:timers/promises'
import { filesOf } from './files.mjs'

const { HOST: host, PORT: port } = process.env
const ask = () =>
  new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), servername: host, ...filesOf('/tls') })
    let said = ''
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer')))
    socket.on('data', (chunk) => (said += chunk))
    socket.once('error', reject)
    socket.once('end', () => {
      const { subject, serialNumber } = socket.getPeerCertificate()
      resolve({ authorized: socket.authorized, server: subject.CN, serialNumber, calledMe: said.trim() })
    })
  })

// The server's pod and its name may need a moment; whether the connection is verified needs none.
for (;;) {
  try {
    console.log(JSON.stringify(await ask()))
    break
  } catch (error) {
    if (!['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH'].includes(error.code)) throw error
    await sleep(500)
  }
}
