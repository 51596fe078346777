import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import {
  ControlPlane,
  countRequests,
  ensureNamespace,
  eventually,
  forbiddenOf,
  installChart,
  usedPermissions,
} from './index.ts'
import { sharedControlPlane } from './shared.ts'

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    // A killed process stays as a zombie until its parent asks for it.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

describe('the shared control plane', () => {
  it('answers kubectl as administrator, over TLS verified with the test CA', async () => {
    const plane = sharedControlPlane()
    const { stdout } = await plane.kubectl(['get', '--raw', '/readyz'])
    expect(stdout).toBe('ok')
    const wrongCa = await plane.kubectl([
      'get',
      '--raw',
      '/readyz',
      '--certificate-authority=/etc/ssl/certs/ca-certificates.crt',
    ])
    expect(wrongCa.code).not.toBe(0)
  })

  it('records who asked for what, and refuses what RBAC does not grant', async () => {
    const plane = sharedControlPlane()
    const since = Date.now()
    const kubeconfig = plane.kubeconfigOfUser('alice')
    const refused = await plane.kubectl(['--kubeconfig', kubeconfig, 'get', 'secrets', '-n', 'default'])
    expect(refused.stderr).toContain('User "alice" cannot list resource "secrets"')
    const lines = await eventually('the audit line', async () => {
      const forbidden = forbiddenOf(plane.auditLog(), { user: 'alice', since })
      return forbidden.length > 0 && forbidden
    })
    expect(lines[0]?.objectRef?.resource).toBe('secrets')
    expect(countRequests(plane.auditLog(), { user: 'alice', since }).get('list secrets')).toBe(1)
    expect(countRequests(plane.auditLog(), { user: 'bob', since }).size).toBe(0)
  })

  it('collects the children of a deleted owner', async () => {
    const plane = sharedControlPlane()
    await ensureNamespace(plane, 'harness-gc')
    const configMap = (name: string, owner?: { name: string; uid: string }): string =>
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: {
          name,
          namespace: 'harness-gc',
          ownerReferences: owner && [{ apiVersion: 'v1', kind: 'ConfigMap', ...owner }],
        },
      })
    await plane.apply(configMap('owner'))
    const owner = await plane.getJson<{ metadata: { uid: string } }>(['-n', 'harness-gc', 'configmap', 'owner'])
    await plane.apply(configMap('child', { name: 'owner', uid: owner.metadata.uid }))
    await plane.kubectlOk(['-n', 'harness-gc', 'delete', 'configmap', 'owner'])
    await eventually('the child to go', async () => {
      const { code } = await plane.kubectl(['-n', 'harness-gc', 'get', 'configmap', 'child'])
      return code !== 0
    })
  })
})

describe('the chart on the shared control plane', () => {
  it('gives its ServiceAccount every Secret in cluster mode', async () => {
    const plane = sharedControlPlane()
    const chart = await installChart(plane, { release: 'harness-cluster' })
    const asOperator = (args: string[]) => plane.kubectl(['--kubeconfig', chart.kubeconfig, ...args])
    const since = Date.now()
    expect((await asOperator(['get', 'secrets', '-A'])).code).toBe(0)
    expect((await asOperator(['auth', 'can-i', 'create', 'pods'])).stdout.trim()).toBe('no')
    const applied = await plane.kubectl(
      ['--kubeconfig', chart.kubeconfig, 'apply', '--server-side', '--validate=false', '-f', '-'],
      JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'applied', namespace: chart.namespace } }),
    )
    expect(applied).toMatchObject({ code: 0 })
    const granted = await chart.grantedPermissions()
    const used = usedPermissions(plane.auditLog(), { user: chart.user, since })
    for (const permission of ['list /secrets', 'patch /secrets', 'create /secrets']) {
      expect(used).toContain(permission)
      expect(granted).toContain(permission)
    }
    await chart.uninstall()
  })

  it('gives its ServiceAccount only the listed namespaces in namespaced mode', async () => {
    const plane = sharedControlPlane()
    const chart = await installChart(plane, { release: 'harness-namespaced', namespaces: ['harness-a', 'harness-b'] })
    const secretsOf = (...where: string[]) =>
      plane.kubectl(['--kubeconfig', chart.kubeconfig, 'get', 'secrets', ...where])
    expect((await secretsOf('-n', 'harness-a')).code).toBe(0)
    expect((await secretsOf('-n', 'harness-b')).code).toBe(0)
    expect((await secretsOf('-n', 'default')).stderr).toContain('Forbidden')
    expect((await secretsOf('-A')).stderr).toContain('Forbidden')
    await chart.uninstall()
  })
})

describe('a control plane of its own', () => {
  it('keeps its objects over SIGKILL of the API server and of etcd', async () => {
    const plane = await ControlPlane.start({ crds: false, controllerManager: false })
    try {
      await ensureNamespace(plane, 'kept')
      await plane.killApiServer()
      await plane.killEtcd()
      await plane.startEtcd()
      await plane.startApiServer()
      expect((await plane.kubectl(['get', 'namespace', 'kept'])).code).toBe(0)
    } finally {
      await plane.stop()
    }
    expect(existsSync(plane.info.dir)).toBe(false)
  })

  it('does not outlive a test process that is killed', async () => {
    const module = fileURLToPath(new URL('process.ts', import.meta.url))
    const script = `
      const { ManagedProcess, Reaper } = await import(${JSON.stringify(module)})
      const child = new ManagedProcess(new Reaper(), { name: 'sleep', command: 'sleep', args: ['600'], logFile: '/dev/null' })
      console.log(child.pid)
      setInterval(() => {}, 1000)`
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const pid = await new Promise<number>((resolve) =>
      parent.stdout.once('data', (line: Buffer) => resolve(Number(line))),
    )
    expect(alive(pid)).toBe(true)
    parent.kill('SIGKILL')
    await eventually('the orphan to be ended', async () => !alive(pid), { timeoutMs: 10_000 })
  })
})
