/** etcd, kube-apiserver, kube-controller-manager, kubectl and helm, built from their Go modules on first use. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Runs a build script, which tells on stderr what it does, and prints the folder of what it has built. */
export const built = (script: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = spawn(script, { stdio: ['ignore', 'pipe', 'inherit'] })
    let folder = ''
    child.stdout.on('data', (chunk: Buffer) => (folder += chunk.toString('utf8')))
    child.once('error', reject)
    child.once('close', (code) =>
      code === 0 ? resolve(folder.trim()) : reject(new Error(`${script} ended with ${code}: its output is above`)),
    )
  })

/** The folder of the five binaries. The first call of a machine builds them, which takes minutes and says so on stderr. */
export const controlPlaneBinaries = (): Promise<string> =>
  built(fileURLToPath(new URL('../modules/build.sh', import.meta.url)))
