// Opens verified connections all the time, each with the files of its volume as they are then, and counts. Environment: HOST, PORT.
import { connect } from 'node:tls'
import { setTimeout as sleep } from 'node:timers/promises'
import { filesOf } from './files.mjs'

const { HOST: host, PORT: port } = process.env
let good = 0
let failed = 0
const servers = new Set()

const once = (patienceMs) =>
  new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), servername: host, ...filesOf('/tls') })
    let said = ''
    socket.setTimeout(patienceMs, () => socket.destroy(new Error('no answer')))
    socket.on('data', (chunk) => (said += chunk))
    socket.once('error', reject)
    socket.once('end', () => {
      if (said === '') return reject(new Error('the server hung up'))
      const { serialNumber } = socket.getPeerCertificate()
      if (serialNumber !== undefined) servers.add(serialNumber)
      resolve(undefined)
    })
  })

process.on('SIGTERM', () => process.exit(0))
// The count begins when the server is there. After a restart of the node its Service may still lead to where it was before.
for (;;) {
  try {
    await once(1000)
    break
  } catch {
    await sleep(500)
  }
}
for (let number = 0; ; number++) {
  try {
    await once(10_000)
    good++
  } catch (error) {
    // Of the volume, while it is changed: no connection was tried.
    if (error.code === 'ENOENT') {
      await sleep(5)
      continue
    }
    failed++
    console.log(JSON.stringify({ failure: String(error), code: error.code }))
  }
  if (number % 20 === 0) console.log(JSON.stringify({ good, failed, servers: [...servers] }))
  await sleep(50)
}
