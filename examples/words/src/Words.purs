-- | A few words: the one package of the demonstration's registry.
module Words (Words(..), single) where

-- | A text.
data Words = Words String

-- | A text as words.
single :: String -> Words
single = Words
