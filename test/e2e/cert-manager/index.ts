/** cert-manager itself: its CRDs, and its controllers as a process. Its webhook only refuses and its cainjector serves that. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { built } from '../../controlplane/harness/binaries.ts'
import { type Connection, ManagedProcess } from '../../controlplane/harness/index.ts'

const crds = ['certificates', 'certificaterequests', 'issuers', 'clusterissuers'].map((one) => `${one}.cert-manager.io`)

/** `ownerRef`: --enable-certificate-owner-ref, so that a Secret goes with its Certificate. Builds what is not in the cache yet. */
export const startCertManager = async (
  plane: Connection,
  { ownerRef }: { readonly ownerRef: boolean },
): Promise<ManagedProcess> => {
  const folder = await built(fileURLToPath(new URL('build.sh', import.meta.url)))
  await plane.kubectlOk(['apply', '--server-side', '-f', join(folder, 'crds')])
  await plane.kubectlOk(['wait', '--for=condition=Established', '--timeout=60s', ...crds.map((one) => `crd/${one}`)])
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
