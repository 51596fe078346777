/** RSA-2048 keys as fast as the thread pool makes them: `node key-loop.ts COUNT CONCURRENCY` prints keys a second. */
import { webcrypto } from 'node:crypto'
import { numbers } from './objects.ts'
import { inParallel } from './parallel.ts'

const [count = 0, concurrency = 0] = process.argv.slice(2).map(Number)
const algorithm = {
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: 'SHA-256',
}
const start = performance.now()
await inParallel(concurrency, numbers(count), async () => {
  await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
})
process.stdout.write(String((count * 1000) / (performance.now() - start)))
