/** docs/installation.md, typed section by section on an API server that has seen none of it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { ControlPlane, eventually, type Output } from '../controlplane/harness/index.ts'
import { typeOn } from './support/page.ts'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const page = readFileSync(join(repository, 'docs/installation.md'), 'utf8')

/** The `$ …` commands of a section, with the lines shown below each. */
const stepsOf = (title: string): { readonly command: string; readonly shows: readonly string[] }[] => {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${title}\n`)) ?? ''
  const steps = [...section.matchAll(/```console\n([^]*?)```/g)].flatMap(([, block = '']) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const [command = '', ...shows] = part.trimEnd().split('\n')
        return { command, shows }
      }),
  )
  expect(steps.length, title).toBeGreaterThan(0)
  return steps
}

describe('an installation by the book', () => {
  let plane: ControlPlane
  beforeAll(async () => {
    plane = await ControlPlane.start({ crds: false })
  })
  afterAll(() => plane.stop())

  const type = (command: string): Promise<Output> => typeOn(plane, repository, command)
  /** All of a section; what they printed. */
  const follow = async (title: string): Promise<string[]> => {
    const printed: string[] = []
    for (const { command, shows } of stepsOf(title)) {
      const { code, stdout, stderr } = await type(command)
      // `can-i` tells its "no" by exit code 1, too.
      expect({ command, code, stderr: code === 0 ? '' : stderr }).toEqual({
        command,
        code: shows[0] === 'no' ? 1 : 0,
        stderr: '',
      })
      if (shows.length > 0) expect(stdout.trim().split('\n')).toEqual(shows)
      printed.push(stdout)
    }
    return printed
  }

  it('has what it says after helm install', async () => {
    const [notes = '', objects = '', crds = ''] = await follow('With helm')
    for (const kind of ['deployment.apps', 'poddisruptionbudget.policy', 'networkpolicy.networking.k8s.io', 'service'])
      expect(objects).toContain(`${kind}/dbtls`)
    expect(crds.trim().split('\n')).toHaveLength(5)
    // How to be rid of it stands in both, alike.
    const removal = stepsOf('Uninstalling').map(({ command }) => command)
    for (const command of removal.filter((one) => one.startsWith('kubectl delete'))) expect(notes).toContain(command)
  })

  it('is upgraded and rolled back', async () => {
    await follow('Upgrading')
    expect((await type('helm history dbtls --namespace dbtls -o json')).stdout).toContain('Rollback to 1')
  })

  it('goes without a trace where the page says so, and without waiting for anybody', async () => {
    const applied = await type('kubectl apply --server-side -f examples/quickstart')
    expect(applied.code, applied.stderr).toBe(0)
    const steps = stepsOf('Uninstalling').map(({ command }) => command)
    const [, kept, ...rest] = await follow('Uninstalling')
    expect(steps[1]).toBe('kubectl get pki -A')
    expect(kept).toContain('orders-mysql')
    expect(rest).toHaveLength(3)
    await eventually(
      'the CRDs to go',
      async () => !(await plane.kubectlOk(['get', 'crd', '-o', 'name'])).includes('dbtls.dev'),
    )
  })

  it('has no right on Secrets outside of its namespaces', async () => {
    await follow('For some namespaces only')
    const uninstalled = await type('helm uninstall dbtls --namespace dbtls')
    expect(uninstalled.code, uninstalled.stderr).toBe(0)
  })

  it('comes without helm: plain, by kustomize, and rendered for another namespace', async () => {
    for (const gone of ['namespace dbtls', 'crd -l app.kubernetes.io/name=dbtls']) {
      const { code, stderr } = await type(`kubectl delete ${gone} --wait`)
      expect(code, stderr).toBe(0)
    }
    const [, overlay = '', , rendered = ''] = await follow('Without helm')
    const deployment = parseAllDocuments(overlay)
      .map(
        (document) => document.toJS() as { kind: string; spec?: { template?: { spec?: { containers: unknown[] } } } },
      )
      .find(({ kind }) => kind === 'Deployment')
    expect(deployment?.spec?.template?.spec?.containers).toEqual([
      expect.objectContaining({
        image: 'registry.example.com/platform/dbtls:0.1.0',
        resources: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '1Gi' } },
      }),
    ])
    expect((await type('kubectl -n dbtls get deployment dbtls -o jsonpath={..image}')).stdout).toBe(
      'registry.example.com/platform/dbtls:0.1.0',
    )
    expect(rendered).toContain('system:serviceaccount:pki:dbtls')
    expect(rendered).not.toContain('kind: ClusterRoleBinding')
  })

  it('has kubectl find its plugin, and complete it', async () => {
    const commands = stepsOf('The kubectl plugin').map(({ command }) => command)
    const { code, stdout, stderr } = await type(`set -e\n${commands.join('\n')}`)
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^\d+\.\d+\.\d+[^\n]*\nstatus\t[^\n]+\n:4\n/)
  })
})
