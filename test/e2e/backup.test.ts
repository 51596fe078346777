/** docs/backup.md, typed on a real API server: the cluster's objects are lost, and come back under other uids. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { countRequests, eventually, run } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import type { CustomThing, SecretThing, Thing } from './support/api.ts'
import { authorities, certificates, Rig } from './support/rig.ts'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const page = readFileSync(join(repository, 'docs/backup.md'), 'utf8')
const [example = '', rights = ''] = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml = '']) => yaml)

interface Step {
  readonly command: string
  readonly shows: readonly string[]
}

const stepsOf = (title: string): Step[] => {
  const section = page.split(/^## /m).find((text) => text.startsWith(title)) ?? ''
  return [...section.matchAll(/```console\n([\s\S]*?) *```/g)].flatMap(([, block = '']) =>
    block
      .replace(/^ +/gm, '')
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const [command = '', ...shows] = part.trimEnd().split('\n')
        return { command, shows }
      }),
  )
}

interface Entry extends Thing {
  readonly spec: {
    readonly serialNumber: string
    readonly authorityRef: { readonly uid: string }
    readonly certificateRef?: { readonly name: string; readonly uid: string }
    readonly supersedes?: { readonly serialNumber: string }
  }
}
interface Authority extends CustomThing {
  readonly status?: CustomThing['status'] & { readonly crl?: { readonly number: number } }
}

const home = 'data'
const someone = 'bob'
const bound = 'bob-restores'

describe('docs/backup.md', () => {
  let rig: Rig
  let folder: string
  let since = 0
  let before: Awaited<ReturnType<typeof substance>>

  const typed = ({ command }: Step) => {
    const user = command.startsWith('dbtls') ? rig.plane.kubeconfigOfUser(someone) : rig.plane.adminKubeconfig
    return run('sh', ['-c', command], {
      cwd: folder,
      env: {
        ...process.env,
        KUBECONFIG: user,
        PATH: `${join(repository, 'bin')}:${rig.plane.info.binaries}:${process.env['PATH']}`,
      },
    })
  }
  const shownBy = async (step: Step): Promise<void> => {
    const { code, stdout, stderr } = await typed(step)
    expect(code, `${step.command}\n${stdout}${stderr}`).toBe(0)
    if (step.shows.length > 0) expect(`${stdout}${stderr}`.trimEnd().split('\n')).toEqual(step.shows)
  }
  const entries = (): Promise<readonly Entry[]> => rig.api.list<Entry>('issuedcertificates', home)
  const numberOf = async (): Promise<number> =>
    (await rig.api.get<Authority>(authorities, home, 'orders-ca')).status?.crl?.number ?? 0
  const substance = async () => {
    const kept = await rig.api.list<SecretThing>('secrets', home)
    return {
      serials: (await entries()).map(({ spec }) => spec.serialNumber).toSorted(),
      secrets: Object.fromEntries(
        kept.map(({ metadata, data, type }) => [metadata.name, [type, data, metadata.labels]]),
      ),
    }
  }
  const uids = async () =>
    new Map((await rig.api.list<CustomThing>(certificates, home)).map(({ metadata }) => [metadata.name, metadata.uid]))

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'dbtls-backup-'))
    writeFileSync(join(folder, 'passphrase'), 'correct horse battery staple')
    rig = await Rig.start(sharedControlPlane(), { release: 'e2e-backup' }, [home])
    await rig.plane.apply(rights)
    const group = 'rbac.authorization.k8s.io'
    const binding = (name: string, role: string) => ({
      apiVersion: `${group}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: { apiGroup: group, kind: 'ClusterRole', name: role },
      subjects: [{ apiGroup: group, kind: 'User', name: someone }],
    })
    const spaces = { apiGroups: [''], resources: ['namespaces'], verbs: ['get', 'create'] }
    const role = {
      apiVersion: `${group}/v1`,
      kind: 'ClusterRole',
      metadata: { name: `${bound}-spaces` },
      rules: [spaces],
    }
    for (const one of [role, binding(bound, 'dbtls-backup-and-restore'), binding(`${bound}-spaces`, `${bound}-spaces`)])
      await rig.plane.apply(JSON.stringify(one))
    await rig.operator()
    await rig.plane.apply(example)
    await rig.allReady(home, 2)
    await eventually('the list', async () => (await numberOf()) === 1)
    await rig.quiet()
  })
  afterAll(async () => {
    await rig.plane.kubectl(['delete', 'clusterrolebinding', bound, `${bound}-spaces`])
    await rig.plane.kubectl(['delete', 'clusterrole', 'dbtls-backup-and-restore', `${bound}-spaces`])
    await rig.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  it('has the commands of a backup, a rehearsal and a restore', () => {
    expect(stepsOf('Making a backup')).toHaveLength(1)
    expect(stepsOf('Keeping it')).toHaveLength(2)
    expect(stepsOf('When the cluster is lost')).toHaveLength(5)
  })

  it.each([...stepsOf('Making a backup'), ...stepsOf('Keeping it')])('$command', shownBy)

  it('restores nothing over what is there', async () => {
    const { code, stdout, stderr } = await typed({
      command: 'dbtls restore orders.backup --passphrase-file passphrase',
      shows: [],
    })
    expect([code, stdout]).toEqual([1, ''])
    const inTheWay = stderr.trimEnd().split('\n')
    expect(inTheWay).toContain(
      'in the way CertificateAuthority data/orders-ca exists, and does not come from this backup',
    )
    expect(inTheWay).toContain('dbtls restore: nothing was written: these 5 are in the way')
  })

  it('loses everything', { timeout: 200_000 }, async () => {
    before = await substance()
    for (const operator of rig.operators) await operator.stop()
    await rig.plane.kubectlOk(['delete', 'namespace', home, '--timeout=120s'])
    await rig.operator()
    since = Date.now()
  })

  it.each(stepsOf('When the cluster is lost'))('$command', { timeout: 200_000 }, shownBy)

  it('has signed nothing, as the audit log of the API server says', async () => {
    await rig.quiet()
    const asked = countRequests(rig.plane.auditLog(), { user: rig.chart.user, since })
    const writes = [...asked.keys()].filter((key) => !/^(get|list|watch) /.test(key) && !key.endsWith(' leases'))
    expect(writes.filter((key) => /issuedcertificates|secrets/.test(key))).toEqual([])
    // That it was at work at all.
    expect(writes).toContain('update certificateauthorities/status')
    expect(await substance()).toEqual(before)
    expect(await numberOf()).toBeGreaterThan(since / 1000 - 60)
    const now = await uids()
    for (const { spec } of await entries())
      if (spec.certificateRef?.name.startsWith('orders-') === true && spec.certificateRef.name !== 'orders-ca')
        expect(spec.certificateRef.uid).toBe(now.get(spec.certificateRef.name))
  })

  it('goes on: the next certificate takes the place of the restored one', { timeout: 200_000 }, async () => {
    const old = await rig.api.get<CustomThing & { status?: { serialNumber?: string } }>(
      certificates,
      home,
      'orders-app',
    )
    await rig.plane.kubectlOk(['-n', home, 'annotate', 'dbcert', 'orders-app', 'dbtls.dev/renew-trigger=now'])
    await eventually('the renewal', async () =>
      (await entries()).some(({ spec }) => spec.supersedes?.serialNumber === old.status?.serialNumber),
    )
    await rig.ready(home, certificates, 'orders-app')
    const again = await typed({ command: 'dbtls restore orders.backup --passphrase-file passphrase', shows: [] })
    expect([again.code, again.stdout]).toEqual([0, 'unchanged  everything was restored from this backup before\n'])
  })
})
