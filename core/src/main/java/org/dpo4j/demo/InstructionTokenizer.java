package org.dpo4j.demo;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import org.dpo4j.tokenizer.TextTokenizer;

/**
 * The demo's tokenizer: a token per UTF-8 byte, and three more that frame an instruction. A prompt
 * becomes {@code INST bytes RESP}, a completion its bytes alone; there is no EOS.
 */
public final class InstructionTokenizer implements TextTokenizer {
  /** Begins an instruction. */
  public static final int INST = 256;

  /** Ends an instruction: the response follows. */
  public static final int RESP = 257;

  /** Fills batches and is never predicted. */
  public static final int PAD = 258;

  /** Size of the demo model's vocabulary, one spare id included. */
  public static final int VOCABULARY = 260;

  public int[] encodePrompt(String text) {
    int[] bytes = encode(text, false);
    int[] ids = new int[bytes.length + 2];
    ids[0] = INST;
    System.arraycopy(bytes, 0, ids, 1, bytes.length);
    ids[ids.length - 1] = RESP;
    return ids;
  }

  public int[] encodeCompletion(String text) {
    return encode(text, false);
  }

  /** The UTF-8 bytes as ids from 0 to 255; there are no special tokens to add. */
  @Override
  public int[] encode(String text, boolean addSpecialTokens) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    int[] ids = new int[bytes.length];
    for (int i = 0; i < bytes.length; i++) {
      ids[i] = Byte.toUnsignedInt(bytes[i]);
    }
    return ids;
  }

  @Override
  public String decode(int[] ids) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(ids.length);
    for (int id : ids) {
      switch (id) {
        case INST -> bytes.writeBytes("<INST>".getBytes(StandardCharsets.UTF_8));
        case RESP -> bytes.writeBytes("<RESP>".getBytes(StandardCharsets.UTF_8));
        case PAD -> bytes.writeBytes("<PAD>".getBytes(StandardCharsets.UTF_8));
        default -> {
          if (id < 0 || id > 255) {
            throw new IllegalArgumentException("an id must be from 0 to 258 but was " + id);
          }
          bytes.write(id);
        }
      }
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }

  public int vocabSize() {
    return VOCABULARY;
  }
}
