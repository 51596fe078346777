/**
 * Where the API server is and how to speak to it: in-cluster ServiceAccount or kubeconfig.
 *
 * `@kubernetes/client-node` costs 84 MB of resident memory when its KubeConfig is imported (37 MB in a bundle), because
 * it brings the whole generated API along. So files, tokens and certificates are read here; of client-node only
 * `dist/exec_auth.js` (0.3 MB) is loaded for `exec` users, and the whole only for `auth-provider` (OIDC) users.
 */
import { join } from 'node:path'
import type { Clock } from '../../runtime/clock.ts'
import type { ClusterConfig, TlsMaterial } from './cluster-config.ts'
import { ConfigError, FileConfig, readText } from './cluster-config.ts'
import { TokenFile } from './credentials.ts'
import { loadKubeconfig } from './kubeconfig.ts'

export const serviceAccountFolder = '/var/run/secrets/kubernetes.io/serviceaccount'

export interface Environment {
  readonly KUBECONFIG?: string | undefined
  readonly HOME?: string | undefined
  readonly KUBERNETES_SERVICE_HOST?: string | undefined
  readonly KUBERNETES_SERVICE_PORT?: string | undefined
}

export interface LoadOptions {
  readonly env: Environment
  readonly clock: Clock
  /** A path given on the command line; wins over everything. */
  readonly kubeconfig?: string | undefined
  readonly context?: string | undefined
  /** For tests: where the ServiceAccount's files are. */
  readonly serviceAccountFolder?: string
}

/** The order of controller-runtime: flag, $KUBECONFIG, in-cluster, ~/.kube/config. */
export const loadClusterConfig = async (options: LoadOptions): Promise<ClusterConfig> => {
  const { env, clock, context } = options
  const load = (paths: readonly string[]): Promise<ClusterConfig> => loadKubeconfig({ paths, context, clock })
  if (options.kubeconfig !== undefined && options.kubeconfig !== '') return load([options.kubeconfig])
  const listed = (env.KUBECONFIG ?? '').split(process.platform === 'win32' ? ';' : ':').filter((path) => path !== '')
  if (listed.length > 0) return load(listed)
  if (env.KUBERNETES_SERVICE_HOST && context === undefined) return loadInCluster(options)
  if (env.HOME) return load([join(env.HOME, '.kube', 'config')])
  throw new ConfigError('no cluster is configured: give --kubeconfig or KUBECONFIG, or run inside a pod')
}

/** A pod's ServiceAccount: token and CA are projected files that the kubelet replaces while we run. */
export const loadInCluster = async (options: LoadOptions): Promise<ClusterConfig> => {
  const host = options.env.KUBERNETES_SERVICE_HOST
  const port = options.env.KUBERNETES_SERVICE_PORT ?? '443'
  if (!host) throw new ConfigError('KUBERNETES_SERVICE_HOST is not set: this is not a pod')
  const folder = options.serviceAccountFolder ?? serviceAccountFolder
  const token = new TokenFile(join(folder, 'token'), options.clock)
  const tls = async (): Promise<TlsMaterial> => ({ ca: await readText(join(folder, 'ca.crt')) })
  return new FileConfig({
    server: new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`),
    namespace: (await readText(join(folder, 'namespace')).catch(() => 'default')).trim(),
    tls: await tls(),
    reloadTls: tls,
    authorize: async (headers) => {
      headers.authorization = `Bearer ${await token.read()}`
    },
    forget: () => token.forget(),
  })
}
