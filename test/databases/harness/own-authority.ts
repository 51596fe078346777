/** A CA that a person brings along in a Secret, and replaces in the three edits of docs/authorities.md. */
import { encodePem } from '../../../src/pki/encoding/pem.ts'
import type { KubeObject } from '../../../src/cluster/port.ts'
import type { Secret } from '../../../src/resources/core.ts'
import { makeAuthority, pemOf } from '../../../src/database/connect/testing.ts'
import type { Authority } from '../../../src/pki/testing.ts'

/** `Former` signs alone; both are trusted; `Next` signs while both are trusted; `Next` alone. */
export type Stage = 'Former' | 'Both' | 'NextSigns' | 'Next'

export class OwnAuthority {
  readonly name: string
  readonly namespace: string
  readonly former: Authority
  readonly next: Authority

  private constructor(name: string, namespace: string, former: Authority, next: Authority) {
    this.name = name
    this.namespace = namespace
    this.former = former
    this.next = next
  }

  static async make(name: string, namespace: string): Promise<OwnAuthority> {
    // Of one name, so that nothing but key and key identifier tells them apart.
    return new OwnAuthority(name, namespace, await makeAuthority('Orders CA'), await makeAuthority('Orders CA'))
  }

  object(policy: object | undefined): KubeObject {
    const { name, namespace } = this
    const source = { secret: { name: `${name}-files` } }
    return {
      ...{ apiVersion: 'dbtls.dev/v1alpha1', kind: 'CertificateAuthority', metadata: { name, namespace } },
      spec: policy === undefined ? { source } : { source, policy },
    } as unknown as KubeObject
  }

  /** PEM of every CA that is trusted at a stage. */
  trusted(stage: Stage): readonly string[] {
    if (stage === 'Former') return [pemOf(this.former)]
    return stage === 'Next' ? [pemOf(this.next)] : [pemOf(this.former), pemOf(this.next)]
  }

  signer(stage: Stage): Authority {
    return stage === 'Former' || stage === 'Both' ? this.former : this.next
  }

  secret(stage: Stage): Secret {
    const { name, namespace } = this
    const signer = this.signer(stage)
    return {
      ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: `${name}-files`, namespace } },
      stringData: {
        'tls.crt': pemOf(signer),
        'tls.key': encodePem('PRIVATE KEY', signer.key.pkcs8),
        'ca.crt': this.trusted(stage).join(''),
      },
    }
  }
}
