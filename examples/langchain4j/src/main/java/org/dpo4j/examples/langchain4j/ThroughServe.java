package org.dpo4j.examples.langchain4j;

import static dev.langchain4j.model.LambdaStreamingResponseHandler.onPartialResponseBlocking;

import dev.langchain4j.model.chat.StreamingChatModel;
import dev.langchain4j.model.openai.OpenAiStreamingChatModel;

/**
 * Answers a question with the model that {@code ./dpo4j serve --model FOLDER} serves on this
 * machine: {@code NAME QUESTION}, where the name is that of the folder.
 */
public class ThroughServe {

  public static void main(String[] args) throws InterruptedException {
    StreamingChatModel chat =
        OpenAiStreamingChatModel.builder()
            .baseUrl("http://127.0.0.1:8080/v1")
            .apiKey("none") // serve needs one only for other machines
            .modelName(args[0])
            .maxCompletionTokens(200)
            .temperature(0.7)
            .build();
    onPartialResponseBlocking(chat, args[1], System.out::print);
    System.out.println();
  }
}
