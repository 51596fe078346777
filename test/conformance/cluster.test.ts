/** The suite of the cluster port against both adapters. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EmbeddedCluster } from '../../src/cluster/embedded/cluster.ts'
import { KubernetesCluster } from '../../src/cluster/kubernetes/client.ts'
import { loadClusterConfig } from '../../src/cluster/kubernetes/config.ts'
import { embeddedKinds } from '../../src/commands/shared/embedded-kinds.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import { clusterSuite } from './cluster-suite.ts'

clusterSuite('the embedded cluster', {
  compacts: true,
  start: async () => {
    const directory = mkdtempSync(join(tmpdir(), 'dbtls-conformance-'))
    const cluster = new EmbeddedCluster({ directory, kinds: embeddedKinds(), clock: systemClock() })
    return {
      cluster,
      compact: () => cluster.compact(),
      stop: async () => {
        cluster.close()
        rmSync(directory, { recursive: true })
      },
    }
  },
})

clusterSuite('a Kubernetes API server', {
  compacts: false,
  start: async () => {
    const clock = systemClock()
    const config = await loadClusterConfig({ env: {}, clock, kubeconfig: sharedControlPlane().adminKubeconfig })
    const cluster = new KubernetesCluster({ config, clock, version: 'conformance' })
    return { cluster, compact: undefined, stop: async () => cluster.close() }
  },
})
