/** Who comes in the clear to a port of TLS, and what is heard there. */
import { connect } from 'node:net'

/** What a server answers to these bytes until it hangs up, in hex. */
export const inTheClear = async (port: number, bytes: string | Uint8Array): Promise<string> => {
  const socket = connect(port, '127.0.0.1')
  const heard: Buffer[] = []
  socket.on('data', (chunk: Buffer) => heard.push(chunk))
  // Who hangs up before all is read has the connection reset.
  let ended: NodeJS.ErrnoException | undefined
  socket.on('error', (error) => (ended = error))
  socket.write(bytes)
  await new Promise((resolve) => socket.once('close', resolve))
  if (ended !== undefined && ended.code !== 'ECONNRESET') throw ended
  return Buffer.concat(heard).toString('hex')
}
