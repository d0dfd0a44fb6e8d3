package org.dpo4j.serve;

/** The two ways to ask for text. */
enum Api {
  CHAT("/v1/chat/completions", "chatcmpl-", "chat.completion", "chat.completion.chunk"),
  COMPLETIONS("/v1/completions", "cmpl-", "text_completion", "text_completion");

  private final String path;
  private final String idPrefix;
  private final String whole;
  private final String chunk;

  Api(String path, String idPrefix, String whole, String chunk) {
    this.path = path;
    this.idPrefix = idPrefix;
    this.whole = whole;
    this.chunk = chunk;
  }

  String path() {
    return path;
  }

  String idPrefix() {
    return idPrefix;
  }

  /** The type of an answer. */
  String whole() {
    return whole;
  }

  /** The type of a piece of a streamed answer. */
  String chunk() {
    return chunk;
  }
}
