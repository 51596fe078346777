/** One control plane for all system tests of a run; a file that needs its own knobs starts another. */
import type { TestProject } from 'vitest/node'
import { ControlPlane } from './control-plane.ts'

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const plane = await ControlPlane.start({ users: [{ name: 'alice' }, { name: 'bob' }] })
  project.provide('controlPlane', plane.info)
  return async () => {
    const failed = project.vitest.state.getCountOfFailedTests() > 0 || process.env['DBTLS_KEEP'] !== undefined
    if (failed) console.error(`logs, audit log and kubeconfigs of the control plane: ${plane.info.dir}`)
    await plane.stop({ keep: failed })
  }
}
