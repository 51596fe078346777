import type { ConnectionInfo } from '../../controlplane/harness/connection.ts'

/** What travels from the process that started the cluster to the tests. */
export interface ClusterInfo {
  readonly kubeconfig: string
  /** Folder of kubectl and helm. */
  readonly tools: string
  readonly dir: string
  /** Of the operator. */
  readonly image: string
  /** With MariaDB and PostgreSQL; absent where it could not be made. */
  readonly databases?: string
  readonly auditFile?: string
  /** Runs what follows in the node; absent in a cluster of somebody else. */
  readonly inNode?: readonly string[]
  readonly restartNode?: readonly string[]
}

declare module 'vitest' {
  export interface ProvidedContext {
    kind: ClusterInfo | undefined
  }
}

/** kubectl and helm of the harness, on this cluster. Its own credentials are all in the kubeconfig. */
export const connectionOf = (info: ClusterInfo): ConnectionInfo => ({
  ...{ server: '', caFile: '', adminToken: '', userTokens: {} },
  adminKubeconfig: info.kubeconfig,
  binaries: info.tools,
  dir: info.dir,
  auditFile: info.auditFile,
})
