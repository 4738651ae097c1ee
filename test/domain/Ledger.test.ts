import { permute } from "@zkpassport/poseidon2"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { concat, keccak256, pad, stringToHex } from "viem"
import { Account, AccountIndex, CurvePoint, Nonce, ownerOf } from "../../src/domain/Account.ts"
import { BlockNumber, ProverGas, ProverPrice, sumWei, Wei } from "../../src/domain/Amount.ts"
import { Block, Header, transactionsRoot } from "../../src/domain/Block.ts"
import { BlockWitness, LeafWitness, TransferWitness } from "../../src/domain/BlockWitness.ts"
import { Checkpoint, checkpointDigest, genesisCheckpoint } from "../../src/domain/Checkpoint.ts"
import { spendingKeyFrom } from "../../src/domain/EddsaPoseidon.ts"
import { Address, BlockHash, Bytes32, CheckpointId, fieldOrder, Owner, poseidon2, StateRoot, toAddress, toHex32, TransactionsRoot } from "../../src/domain/Hash.ts"
import { devnetSchedule, proverGasOf } from "../../src/domain/ProverGasSchedule.ts"
import { SignedTransfer, signTransfer, Transfer } from "../../src/domain/Transfer.ts"

const Field = Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: fieldOrder - 1n }))
const chainId = 1_818_717_805n
const key = spendingKeyFrom("alice")
const transfer = new Transfer({
  from: AccountIndex.make(3),
  to: AccountIndex.make(2 ** 32 - 1),
  toOwner: ownerOf(key.publicKey),
  amount: Wei.make(2n ** 96n - 1n),
  maxProverFee: Wei.make(7n),
  nonce: Nonce.make(2n ** 64n - 1n)
})
const signed = signTransfer(transfer, key, chainId)
const header = new Header({
  parentHash: BlockHash.make(toHex32(1n)),
  number: BlockNumber.make(2),
  stateRoot: StateRoot.make(toHex32(3n)),
  transactionsRoot: TransactionsRoot.make(toHex32(4n)),
  proverGasUsed: ProverGas.make(5n),
  proverPrice: ProverPrice.make(6n),
  proverFees: Wei.make(30n),
  signalMultiplier: 8n,
  timestamp: 9n
})
const refuses = (schema: Schema.Codec<any, any>, value: unknown) => assert.isTrue(Result.isFailure(Schema.decodeUnknownResult(schema)(value)), String(value))
const accepts = (schema: Schema.Codec<any, any>, value: unknown) => assert.isTrue(Result.isSuccess(Schema.decodeUnknownResult(schema)(value)), String(value))

describe("Poseidon2", () => {
  it.prop("is the sponge of rate 3 whose capacity starts as the number of inputs times 2^64", [Schema.Array(Field).check(Schema.isMinLength(1), Schema.isMaxLength(10))], ([inputs]) => {
    let state = [0n, 0n, 0n, BigInt(inputs.length) << 64n]
    for (let i = 0; i < inputs.length; i += 3) {
      state = permute([0, 1, 2].map((j) => (state[j]! + (inputs[i + j] ?? 0n)) % fieldOrder).concat(state[3]!))
    }
    assert.strictEqual(poseidon2(...inputs), state[0])
  }, { arbitrary: { runs: 20 } })

  it("is Barretenberg's permutation", () => {
    assert.strictEqual(toHex32(permute([0n, 1n, 2n, 3n])[0]!), "0x01bd538c2ee014ed5141b29e9ae240bf8db3fe5b9a38629a9647cf8d76c01737")
  })
})

describe("hashes of the ledger's data", () => {
  it("a leaf is H(owner, balance, nonce), an owner H(Ax, Ay)", () => {
    const owner = ownerOf(key.publicKey)
    assert.strictEqual(BigInt(owner), poseidon2(...key.publicKey))
    assert.strictEqual(new Account({ owner, balance: Wei.make(5n), nonce: Nonce.make(6n) }).leaf, poseidon2(BigInt(owner), 5n, 6n))
  })

  it("a transfer's digest packs chain, indices and nonce, amount and cap, and the recipient's owner", () => {
    assert.strictEqual(transfer.digest(chainId), poseidon2(
      chainId * 2n ** 128n + 3n * 2n ** 96n + (2n ** 32n - 1n) * 2n ** 64n + 2n ** 64n - 1n,
      (2n ** 96n - 1n) * 2n ** 96n + 7n,
      BigInt(transfer.toOwner)
    ))
  })

  it("a block hash is H over the nine header fields in order", () => {
    assert.deepStrictEqual([...header.fields], [1n, 2n, 3n, 4n, 5n, 6n, 30n, 8n, 9n])
    assert.strictEqual(header.hash, toHex32(poseidon2(1n, 2n, 3n, 4n, 5n, 6n, 30n, 8n, 9n)))
    assert.deepStrictEqual({ ...new Block({ header, transfers: [] }).ref }, { number: header.number, hash: header.hash })
  })

  it("the transactions root is a tree over the slots, an unused slot is 0", () => {
    const [a, b] = [transfer.digest(chainId), new Transfer({ ...transfer, from: AccountIndex.make(4) }).digest(chainId)]
    const other = new Transfer({ ...transfer, from: AccountIndex.make(4) })
    assert.strictEqual(transactionsRoot([], chainId, 2), toHex32(poseidon2(0n, 0n)))
    assert.strictEqual(transactionsRoot([transfer], chainId, 1), toHex32(a))
    assert.strictEqual(transactionsRoot([transfer, other, transfer], chainId, 4), toHex32(poseidon2(poseidon2(a, b), poseidon2(a, 0n))))
  })

  it("a checkpoint's id is keccak over its four fields, its digest over tag, chain, registry, epoch and id (CP-2)", () => {
    const checkpoint = new Checkpoint({ parent: CheckpointId.make(toHex32(5n)), number: BlockNumber.make(6), blockHash: header.hash, stateRoot: header.stateRoot })
    assert.strictEqual(checkpoint.id, keccak256(concat([checkpoint.parent, toHex32(6n), checkpoint.blockHash, checkpoint.stateRoot])))
    const registry = toAddress("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266")
    assert.strictEqual(
      checkpointDigest({ chainId: 31337n, registry, epoch: 2n }, checkpoint.id),
      keccak256(concat([keccak256(stringToHex("lignum.checkpoint.v1")), toHex32(31337n), pad(registry).toLowerCase() as `0x${string}`, toHex32(2n), checkpoint.id]))
    )
    assert.deepStrictEqual({ ...checkpoint.block }, { number: checkpoint.number, hash: header.hash })
    assert.strictEqual(BigInt(genesisCheckpoint(checkpoint.block, header.stateRoot).parent), 0n)
  })
})

describe("boundaries", () => {
  it.effect("blocks and witnesses survive JSON", () => Effect.gen(function*() {
    const account = new Account({ owner: transfer.toOwner, balance: Wei.make(1n), nonce: Nonce.make(0n) })
    const leaf = (account_: Account | null) => new LeafWitness({ account: account_, siblings: [0n, fieldOrder - 1n] })
    const block = new Block({ header, transfers: [signed] })
    const witness = new BlockWitness({ parent: header, block, transfers: [new TransferWitness({ sender: leaf(account), recipient: leaf(null) })] })
    const codec = Schema.fromJsonString(BlockWitness)
    const back = yield* Schema.decodeEffect(codec)(yield* Schema.encodeEffect(codec)(witness))
    assert.deepStrictEqual(back, witness)
    assert.strictEqual(back.block.header.hash, header.hash)
    assert.isTrue(back.block.transfers[0]?.isSigned(chainId))
  }))

  it("widths of the circuit are widths of the schemas", () => {
    accepts(Wei, String(2n ** 96n - 1n))
    refuses(Wei, String(2n ** 96n))
    refuses(Wei, "-1")
    accepts(Nonce, String(2n ** 64n - 1n))
    refuses(Nonce, String(2n ** 64n))
    refuses(ProverGas, String(2n ** 64n))
    refuses(ProverPrice, String(2n ** 64n))
    accepts(AccountIndex, 2 ** 32 - 1)
    refuses(AccountIndex, 2 ** 32)
    refuses(BlockNumber, -1)
    refuses(BlockNumber, 1.5)
    accepts(Owner, toHex32(fieldOrder - 1n))
    refuses(Owner, toHex32(fieldOrder))
    refuses(CurvePoint, ["-1", "0"])
    refuses(CurvePoint, [String(fieldOrder), "0"])
    refuses(SignedTransfer, { ...Schema.encodeSync(SignedTransfer)(signed), signature: { R8: ["0", "1"], S: "-1" } })
  })

  it("hashes are lower case and whole, addresses carry their checksum", () => {
    refuses(Bytes32, "0x1")
    refuses(Bytes32, `0x${"A".repeat(64)}`)
    accepts(Address, "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
    refuses(Address, "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266")
    assert.strictEqual(toAddress("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
  })

  it("sums are checked against the width", () => {
    assert.strictEqual(sumWei([1n, 2n, 3n]), 6n)
    assert.throws(() => sumWei([2n ** 96n - 1n, 1n]))
  })
})

it("FM-1: a transfer's prover gas comes from the schedule, whatever it says", () => {
  assert.strictEqual(proverGasOf(devnetSchedule, transfer), 16_000n)
})

it("a signature is for one chain and one transfer", () => {
  assert.isTrue(signed.isSigned(chainId))
  assert.isFalse(signed.isSigned(chainId + 1n))
  assert.isFalse(new SignedTransfer({ ...signed, transfer: new Transfer({ ...transfer, amount: Wei.make(1n) }) }).isSigned(chainId))
})
