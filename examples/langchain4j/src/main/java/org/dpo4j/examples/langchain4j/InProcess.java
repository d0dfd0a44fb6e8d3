package org.dpo4j.examples.langchain4j;

import static dev.langchain4j.model.LambdaStreamingResponseHandler.onPartialResponseBlocking;

import dev.langchain4j.model.chat.StreamingChatModel;
import java.nio.file.Path;
import org.dpo4j.api.LanguageModel;
import org.dpo4j.api.Sampling;
import org.dpo4j.langchain4j.Dpo4jStreamingChatModel;

/** Answers a question with the tuned model of a folder: {@code FOLDER QUESTION}. */
public class InProcess {

  public static void main(String[] args) throws InterruptedException {
    try (LanguageModel model = LanguageModel.open(Path.of(args[0]))) {
      StreamingChatModel chat =
          Dpo4jStreamingChatModel.builder(model).sampling(Sampling.random(200, 0.7)).build();
      onPartialResponseBlocking(chat, args[1], System.out::print);
      System.out.println();
    }
  }
}
