/** cert-manager itself: its CRDs, and its controllers as a process. Its webhook only refuses and its cainjector serves that. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { built } from '../../controlplane/harness/binaries.ts'
import {
  type Connection,
  ControlPlane,
  installChart,
  ManagedProcess,
  type Operator,
  startOperator,
} from '../../controlplane/harness/index.ts'

const crds = ['certificates', 'certificaterequests', 'issuers', 'clusterissuers'].map((one) => `${one}.cert-manager.io`)

interface CertManagerOptions {
  /** --enable-certificate-owner-ref, so that a Secret goes with its Certificate. */
  readonly ownerRef: boolean
}

export interface Beside extends AsyncDisposable {
  readonly plane: ControlPlane
  readonly certManager: ManagedProcess
}

/** A control plane with cert-manager and the operator side by side, both at work. */
export const startBeside = async (options: CertManagerOptions): Promise<Beside> => {
  // The garbage collector learns of kinds that come after it only in time, and would delete what is to be orphaned.
  const plane = await ControlPlane.start({ controllerManager: false })
  let certManager: ManagedProcess | undefined
  let operator: Operator | undefined
  const stop = async (): Promise<void> => {
    await certManager?.stop()
    await operator?.stop()
    await plane.stop()
  }
  try {
    certManager = await startCertManager(plane, options)
    await plane.startControllerManager()
    operator = await startOperator(plane, await installChart(plane, { release: 'migrate' }))
    await operator.ready()
  } catch (error) {
    await stop()
    throw error
  }
  return { plane, certManager, [Symbol.asyncDispose]: stop }
}

/** Builds what is not in the cache yet. */
const startCertManager = async (plane: Connection, { ownerRef }: CertManagerOptions): Promise<ManagedProcess> => {
  const folder = await built(fileURLToPath(new URL('build.sh', import.meta.url)))
  await plane.kubectlOk(['apply', '--server-side', '-f', join(folder, 'crds')])
  await plane.untilEstablished(...crds.map((one) => `crd/${one}`))
  return new ManagedProcess(plane.reaper, {
    name: 'cert-manager',
    command: join(folder, 'controller'),
    args: [
      `--kubeconfig=${plane.adminKubeconfig}`,
      '--cluster-resource-namespace=cert-manager',
      `--enable-certificate-owner-ref=${ownerRef}`,
      '--v=2',
    ],
    logFile: join(plane.info.dir, 'logs', 'cert-manager.log'),
  })
}
