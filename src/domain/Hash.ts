/**
 * Hashes and L1 addresses, branded by what they name.
 *
 * Everything inside the rollup hashes with Poseidon2 over the BN254 scalar field, so that a circuit opens it cheaply;
 * everything that L1 recomputes hashes with keccak256.
 */
import { poseidon2Hash } from "@zkpassport/poseidon2"
import { Schema } from "effect"
import { getAddress, isAddress } from "viem/utils"

/** Order of the BN254 scalar field: every Poseidon2 hash and every circuit signal lies below it. */
export const fieldOrder = 21888242871839275222246405745257275088548364400416034343698204186575808495617n

/** An element of the BN254 scalar field: a decimal string on the wire. */
export const FieldElement = Schema.BigIntFromString.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: fieldOrder - 1n }))
export type FieldElement = typeof FieldElement.Type

/** Any byte string, `0x` and an even number of lower-case digits. */
export const HexBytes = Schema.TemplateLiteral(["0x", Schema.String]).check(Schema.isPattern(/^0x([0-9a-f]{2})*$/))
export type HexBytes = typeof HexBytes.Type

/** 32 bytes, `0x` and 64 lower-case digits. */
export const Bytes32 = Schema.TemplateLiteral(["0x", Schema.String]).check(Schema.isPattern(/^0x[0-9a-f]{64}$/))
export type Bytes32 = typeof Bytes32.Type

/** A Poseidon2 hash: 32 bytes below {@link fieldOrder}. */
const FieldHash = Bytes32.check(
  Schema.makeFilter((hex: string) => BigInt(hex) < fieldOrder || "a hash below the BN254 scalar field's order")
)

/** Poseidon2 over a header's nine fields. */
export const BlockHash = FieldHash.pipe(Schema.brand("BlockHash"))
export type BlockHash = typeof BlockHash.Type

/** Root of the account tree after a block. */
export const StateRoot = FieldHash.pipe(Schema.brand("StateRoot"))
export type StateRoot = typeof StateRoot.Type

/** Root of the tree over a block's transfer digests. */
export const TransactionsRoot = FieldHash.pipe(Schema.brand("TransactionsRoot"))
export type TransactionsRoot = typeof TransactionsRoot.Type

/** Who may spend an account: Poseidon2 of the Baby Jubjub public key. */
export const Owner = FieldHash.pipe(Schema.brand("Owner"))
export type Owner = typeof Owner.Type

/** keccak256 over a checkpoint's contents; the L1 registry's key for it. */
export const CheckpointId = Bytes32.pipe(Schema.brand("CheckpointId"))
export type CheckpointId = typeof CheckpointId.Type

/** keccak256 over (statement, system, bytes): a proof is addressed by its content. */
export const ProofId = Bytes32.pipe(Schema.brand("ProofId"))
export type ProofId = typeof ProofId.Type

/** An L1 transaction's hash. */
export const TransactionHash = Bytes32.pipe(Schema.brand("TransactionHash"))
export type TransactionHash = typeof TransactionHash.Type

/** An L1 address in EIP-55 checksum form. */
export const Address = Schema.TemplateLiteral(["0x", Schema.String]).check(
  Schema.makeFilter((text: string) => (isAddress(text) && getAddress(text) === text) || "an L1 address in EIP-55 checksum form")
).pipe(Schema.brand("Address"))
export type Address = typeof Address.Type

/** The checksum form of an address however it was written. */
export const toAddress = (text: string): Address => Address.make(getAddress(text))

/** The address that stands for nobody. */
export const zeroAddress: Address = toAddress(`0x${"0".repeat(40)}`)

/** A field element as 32 bytes of hex. */
export const toHex32 = (value: bigint): Bytes32 => `0x${value.toString(16).padStart(64, "0")}`

/** Poseidon2 (Barretenberg's parameters, rate 3) over field elements. */
export const poseidon2 = (...inputs: ReadonlyArray<bigint>): bigint => poseidon2Hash([...inputs])
