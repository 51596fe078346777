/** People at the command line of a real API server: alice may edit a namespace, bob may view it, and nobody is bob elsewhere. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect } from 'vitest'
import { eventually, type Output, run } from '../../controlplane/harness/index.ts'
import { sharedControlPlane } from '../../controlplane/harness/shared.ts'
import { authority, certificate, type Manifest } from './manifests.ts'
import { certificates, Rig } from './rig.ts'

export const bin = fileURLToPath(new URL('../../../bin/', import.meta.url))

export const rbac = (ns: string, kind: string, name: string, fields: Record<string, unknown>): Manifest => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind,
  metadata: { name, namespace: ns },
  ...fields,
})

export const binding = (
  ns: string,
  name: string,
  role: { readonly kind: string; readonly name: string },
  subject: Readonly<Record<string, string>>,
): Manifest =>
  rbac(ns, 'RoleBinding', name, {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', ...role },
    subjects: [subject],
  })

/** A world for one test file, with CAs `ca` (which makes lists) and `listless`, certificates `orders`, `app` and `quiet`. */
export const useCli = (ns: string) => {
  const other = `${ns}-other`
  /** Kubeconfigs by person; a kubeconfig's own path is a person, too. */
  const people = new Map<string, string>()
  let rig: Rig | undefined
  let folder = ''

  const present = (): Rig => {
    if (rig === undefined) throw new Error('the world is not there yet')
    return rig
  }
  const dbtls = (person: string, ...args: string[]): Promise<Output> =>
    run(join(bin, 'dbtls'), args, {
      cwd: folder,
      env: { ...process.env, KUBECONFIG: people.get(person) ?? person },
    })

  beforeAll(async () => {
    const plane = sharedControlPlane()
    rig = await Rig.start(plane, { release: `${ns}-operator` }, [ns, other])
    folder = plane.tempDir('cli')
    people.set('alice', plane.kubeconfigOfUser('alice', ns))
    people.set('bob', plane.kubeconfigOfUser('bob', ns))
    people.set('nobody', plane.kubeconfigOfUser('bob', other))
    people.set('admin', plane.adminKubeconfig)
    await rig.operator()
    await rig.apply(
      authority(ns, 'ca', { crl: {}, subject: { commonName: 'CLI CA', organizations: ['Acme'] } }),
      authority(ns, 'listless'),
      certificate(ns, 'orders', { dnsNames: ['orders.db.svc', 'localhost'], ipAddresses: ['127.0.0.1'] }),
      certificate(ns, 'app', { role: 'Client', subject: { commonName: 'app' } }),
      certificate(ns, 'quiet', { authorityRef: { name: 'listless' } }),
      certificate(other, 'lonely'),
      binding(ns, 'edit', { kind: 'ClusterRole', name: 'edit' }, { kind: 'User', name: 'alice' }),
      binding(ns, 'view', { kind: 'ClusterRole', name: 'view' }, { kind: 'User', name: 'bob' }),
    )
    for (const name of ['orders', 'app', 'quiet']) await rig.ready(ns, certificates, name)
    await eventually('the roles to be those of the chart, too', async () => {
      const mays = await Promise.all([
        dbtls('alice', 'ledger', 'list', '--authority', `${ns}/ca`),
        dbtls('bob', 'status'),
      ])
      return mays.every(({ code }) => code === 0)
    })
  })
  afterAll(() => rig?.stop())

  return {
    ns,
    other,
    people,
    get rig(): Rig {
      return present()
    },
    /** Where commands are typed. */
    get folder(): string {
      return folder
    },
    dbtls,
    /** A command that is expected to do what it is asked. */
    done: async (person: string, ...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await dbtls(person, ...args)
      expect({ args, code, stderr }).toMatchObject({ args, code: 0 })
      return stdout
    },
    /** One that is expected to be refused: the exit code, and sentences without a trace of the program. */
    refused: async (exit: number, person: string, ...args: string[]): Promise<string> => {
      const { code, stderr } = await dbtls(person, ...args)
      expect({ args, code, stderr }).toMatchObject({ args, code: exit })
      expect(stderr).not.toMatch(/^ +at |node:internal|Error:/m)
      return stderr
    },
    serialNow: async (name: string): Promise<string> => {
      const { status } = await present().ready(ns, certificates, name)
      return status?.serialNumber ?? ''
    },
  }
}
