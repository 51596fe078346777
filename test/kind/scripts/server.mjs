// A TLS server that wants a client certificate, answers with the client's name, and takes up changed files as most databases do: it
// looks for them by itself; with RELOAD=never as the others do, at its start. Environment: PORT, RELOAD.
import { createServer } from 'node:tls'
import { setInterval } from 'node:timers'
import { filesOf } from './files.mjs'

let files = filesOf('/tls')
const server = createServer({ ...files, requestCert: true, rejectUnauthorized: true }, (socket) => {
  socket.on('error', () => {})
  socket.end(`${socket.getPeerCertificate().subject.CN}\n`)
})
server.on('tlsClientError', (error) => console.log(`refused: ${error.message}`))
const look = () => {
  try {
    const now = filesOf('/tls')
    if (now.version === files.version) return
    files = now
    server.setSecureContext(files)
    console.log('took up changed files')
  } catch (error) {
    // The version may be replaced between two of its files; the next look finds the other one.
    console.log(`files: ${String(error)}`)
  }
}
if (process.env.RELOAD !== 'never') setInterval(look, 500)
process.on('SIGTERM', () => process.exit(0))
server.listen(Number(process.env.PORT), () => console.log('ready'))
