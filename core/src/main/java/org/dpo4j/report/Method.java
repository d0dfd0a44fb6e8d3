package org.dpo4j.report;

import java.util.List;
import org.dpo4j.loss.ApoZeroUnpairedLoss;
import org.dpo4j.loss.TrainingLoss;

/**
 * How a model card names what was done.
 *
 * @param words end of the sentence on the model
 * @param tags of the hub
 * @param curves what the plot shows
 * @param citation paper and BibTeX entry, in Markdown
 */
record Method(String words, List<String> tags, String curves, String citation) {

  private static final String OF_LABELLED = "Loss, KL divergence, rewards and log-probabilities";

  private static final String OF_PAIRS = "Loss, accuracy, rewards and log-probabilities";

  private static final Method KTO =
      new Method(
          "tuned on labelled completions with Kahneman-Tversky Optimization (KTO)",
          List.of("kto", "preference-optimization"),
          OF_LABELLED,
          """
          The method is Kahneman-Tversky Optimization ([arXiv 2402.01306](https://arxiv.org/abs/2402.01306)):

          ```bibtex
          @inproceedings{ethayarajh2024kto,
            title     = {{KTO}: Model Alignment as Prospect Theoretic Optimization},
            author    = {Kawin Ethayarajh and Winnie Xu and Niklas Muennighoff and Dan Jurafsky and Douwe Kiela},
            booktitle = {International Conference on Machine Learning},
            year      = {2024},
            url       = {https://arxiv.org/abs/2402.01306}
          }
          ```
          """);

  private static final Method APO_ZERO =
      new Method(
          "tuned on labelled completions with Anchored Preference Optimization (APO-zero)",
          List.of("apo", "preference-optimization"),
          OF_LABELLED,
          """
          The method is Anchored Preference Optimization ([arXiv 2408.06266](https://arxiv.org/abs/2408.06266)):

          ```bibtex
          @misc{doosterlinck2024anchored,
            title         = {Anchored Preference Optimization and Contrastive Revisions: Addressing Underspecification in Alignment},
            author        = {Karel D'Oosterlinck and Winnie Xu and Chris Develder and Thomas Demeester and Amanpreet Singh and Christopher Potts and Douwe Kiela and Shikib Mehri},
            year          = {2024},
            eprint        = {2408.06266},
            archivePrefix = {arXiv}
          }
          ```
          """);

  private static final Method ODPO =
      new Method(
          "tuned on preference pairs with Direct Preference Optimization with an Offset (ODPO)",
          List.of("dpo", "odpo", "preference-optimization"),
          OF_PAIRS,
          """
          The method is Direct Preference Optimization with an Offset ([arXiv 2402.10571](https://arxiv.org/abs/2402.10571)):

          ```bibtex
          @inproceedings{amini2024direct,
            title     = {Direct Preference Optimization with an Offset},
            author    = {Afra Amini and Tim Vieira and Ryan Cotterell},
            booktitle = {Findings of the Association for Computational Linguistics: ACL 2024},
            pages     = {9954--9972},
            year      = {2024},
            url       = {https://arxiv.org/abs/2402.10571}
          }
          ```
          """);

  private static final Method DPO =
      new Method(
          "tuned on preference pairs with Direct Preference Optimization (DPO)",
          List.of("dpo", "preference-optimization"),
          OF_PAIRS,
          """
          The method is Direct Preference Optimization ([arXiv 2305.18290](https://arxiv.org/abs/2305.18290)):

          ```bibtex
          @inproceedings{rafailov2023direct,
            title     = {Direct Preference Optimization: Your Language Model is Secretly a Reward Model},
            author    = {Rafael Rafailov and Archit Sharma and Eric Mitchell and Christopher D. Manning and Stefano Ermon and Chelsea Finn},
            booktitle = {Advances in Neural Information Processing Systems 36},
            year      = {2023},
            url       = {https://arxiv.org/abs/2305.18290}
          }
          ```
          """);

  static Method of(TrainingLoss loss) {
    return switch (loss.examples()) {
      case PAIRS -> loss.usesMargins() ? ODPO : DPO;
      case LABELED -> loss instanceof ApoZeroUnpairedLoss ? APO_ZERO : KTO;
      case DEMONSTRATIONS ->
          new Method(
              "fine-tuned on demonstrations (SFT)",
              List.of("sft"),
              "Loss and accuracy",
              "The method is supervised fine-tuning: the mean of -log p(token) over the tokens of"
                  + " the demonstrations.\n");
    };
  }
}
